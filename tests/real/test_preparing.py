"""An operator's orders while a robot stands up or takes off: obeyed at once, not when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from burnish.real.control import Settings
from burnish.real.player import PlayerConfig
from burnish.real.session import Session, mailbox_path
from burnish.real.simulated import SimulatedProcess

pytestmark = pytest.mark.robots
FLAGS = {"unitree-go2": ["--domain", "229", "--timeout-s", "0.4"], "quadrotor": ["--port", "0", "--hold-s", "1.5"]}
CONFIG = {
    "unitree-go2": {"domain": 229, "silence": 1.0},
    "quadrotor": {"height_m": 1.2, "land_after_s": 1.0, "wait_s": 5.0, "silence_s": 1.0},
}
STARTED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "unitree-go2": lambda seen: seen["height_m"] > 0.13,
    "quadrotor": lambda seen: seen["position"][2] > 0.2,
}
SAFE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "unitree-go2": lambda seen: seen["height_m"] < 0.12,
    "quadrotor": lambda seen: not seen["armed"],
}
"""Whether it came to rest: damped legs sink, a quadrotor lands and disarms."""


class Nobody:
    """Plans nothing, for it is never asked."""

    contract, realtime = None, False

    def plan(self, *_: Any) -> Any:
        raise AssertionError("no robot is ready in these tests")

    def renew(self) -> None:
        """It always is."""


@contextmanager
def session(robot: SimulatedProcess, name: str, folder: Path) -> Iterator[Session]:
    box = mailbox_path()
    settings = Settings(name, {"address": robot.address} | CONFIG[name], 50.0, 8, str(box), PlayerConfig())
    try:
        with Session(settings, Nobody(), folder, tell=lambda line: None) as running:
            yield running
    finally:
        box.unlink(missing_ok=True)


@pytest.fixture(scope="module", params=FLAGS)
def robot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    log = tmp_path_factory.mktemp(request.param) / "log"
    with SimulatedProcess(request.param, FLAGS[request.param], log) as process:
        yield request.param, process


def comes(robot: SimulatedProcess, done: Callable[[dict[str, Any]], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not done(robot.ask("report")):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_halt_is_obeyed_while_it_is_made_ready(robot: Any, tmp_path: Path) -> None:
    name, process = robot
    with session(process, name, tmp_path) as running:
        running.play(lambda: STARTED[name](process.ask("report")))
        assert running.row is not None and running.row.phase == "holding"
        begin = time.monotonic()
        running.halt()
        running.run(3.0, lambda: running.verdict is not None)
        assert time.monotonic() - begin < 0.5
        assert running.verdict is not None and running.verdict[0] == "operator"
        end = time.monotonic() + 20.0
        running.run(20.0, lambda: SAFE[name](process.ask("report")))
        assert time.monotonic() < end, process.ask("report")


def test_ending_waits_until_it_is_at_rest(robot: Any, tmp_path: Path) -> None:
    name, process = robot
    with session(process, name, tmp_path) as running:
        running.play(lambda: STARTED[name](process.ask("report")))
    assert running.process.returncode == 0
    assert comes(process, SAFE[name], 2.0), process.ask("report")
