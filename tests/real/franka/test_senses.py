"""`burnish deploy` with cameras and a tracker, without ROS: the policy sees, and a blind camera halts the arm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.cli import main
from burnish.contract import ENVIRONMENT_STATE, IMAGES, STATE, TASK, Contract, Field, decode_text
from burnish.fr3 import contract
from burnish.real.base import state_field
from burnish.real.cameras.views import Views
from burnish.real.server.planner import Planner
from burnish.sim.franka.tasks import TASKS
from tests.real.franka.conftest import LENGTH, RATE_HZ, Bench, Sway
from tests.real.server.conftest import serve

pytestmark = pytest.mark.robots

FRONT = IMAGES + "front"
IMAGE = Field((48, 48, 3), ("red", "green", "blue"), ("1",) * 3, "camera", RATE_HZ, "identity", "uint8")
TOLD = Field((16,), tuple(map(str, range(16))), ("1",) * 16, "world", RATE_HZ, "identity", "uint8")
KNOWN = state_field(TASKS["lift"].names, TASKS["lift"].units, "base", RATE_HZ)


def reading(**fields: Field) -> Contract:
    whole = contract()
    state, action = (replace(field, rate_hz=RATE_HZ) for field in (whole.observation[STATE], whole.action))
    return Contract({STATE: state} | fields, action)


class Looking(Planner):
    """Sways the arm, and keeps what it saw."""

    name, horizon, replan, noise_shape = "looking", LENGTH, 8, (1,)

    def __init__(self, reads: Contract) -> None:
        self.contract, self.seen, self._sway = reads, [], Sway()

    def _act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
        self.seen.append(dict(obs))
        return self._sway.plan(obs)


def test_a_blind_camera_halts_the_arm_until_it_sees_again(bench: Bench, tmp_path: Path) -> None:
    switch = tmp_path / "device"
    views = Views([f"front=simulated:{switch}"], reading(**{FRONT: IMAGE}), 0.2)
    with views, bench.session(Sway(), senses=views.senses) as session:
        for fault in ("freeze", "vanish"):
            bench.moving(session)
            switch.write_text(fault)
            bench.held(session, "policy", seconds=3.0)
            assert any("no new frame of camera 'front'" in line for line in bench.said)
            bench.said.clear()
            switch.unlink()
            session.run(2.5)
            session.resume()
        bench.moving(session)


@pytest.fixture
def words(address: str, tmp_path: Path) -> list[str]:
    other = address.rsplit(".", 1)[0] + ".97"
    return ["--robot", "franka", "--sim", "--address", other, "--out", str(tmp_path / "run"), "--seconds", "3"]


def test_a_policy_that_sees_and_is_told_is_deployed(words: list[str], tmp_path: Path) -> None:
    planner = Looking(reading(**{FRONT: IMAGE, TASK: TOLD, ENVIRONMENT_STATE: KNOWN}))
    seeing = ["--cameras", "front=simulated", "--instruction", "lift it", "--task", "franka/lift"]
    with serve(planner) as server:
        main(["deploy", f"ws://{server}", *words, *seeing, "--tracker", "simulated", "--player.mode", "ensemble"])
    rules = [json.loads(line)["rule"] for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert rules == ["play"]
    last = planner.seen[-1]
    assert len({obs[FRONT].tobytes() for obs in planner.seen}) > 5
    assert decode_text(last[TASK]) == "lift it"
    known = dict(zip(KNOWN.names, last[ENVIRONMENT_STATE], strict=True))
    assert 0.3 < known["object_x"] < 0.65 and 0.0 < known["object_z"] < 0.04
    assert json.loads((tmp_path / "run" / "robot.json").read_text())["violations"] == {}


@pytest.mark.parametrize(
    ("reads", "given", "message"),
    [
        ({FRONT: IMAGE}, [], "--cameras names no driver:device; add front=DRIVER:DEVICE"),
        ({}, ["--cameras", "front=simulated"], "the policy has no camera 'front'"),
        ({}, ["--instruction", "lift it"], "this policy is told nothing"),
        ({ENVIRONMENT_STATE: KNOWN}, [], "--task franka/TASK --tracker simulated"),
        ({ENVIRONMENT_STATE: KNOWN}, ["--task", "franka/reach", "--tracker", "simulated"], "in the task franka/reach"),
        ({}, ["--task", "franka/lif"], "did you mean 'franka/lift'"),
    ],
)
def test_what_nobody_gives_is_named_before_anything_moves(
    words: list[str], reads: Any, given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(Looking(reading(**reads))) as server:
        assert main(["deploy", f"ws://{server}", *words, *given]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
