"""A simulated Franka per process of pytest, and plans that sway its arm."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.contract import STATE
from burnish.fr3 import DOWN, JOINTS, LIMITS
from burnish.real.base import RobotError
from burnish.real.control import Settings
from burnish.real.journal import read_cycles
from burnish.real.mailbox import PHASES
from burnish.real.player import Mode, PlayerConfig
from burnish.real.safety import SafetyConfig
from burnish.real.session import Session, mailbox_path
from burnish.real.simulated import SimulatedProcess

RATE_HZ, LENGTH = 20.0, 24
HOME = np.array(DOWN)
CENTRE, RADIUS_M, TURN_S = np.array([0.5, 0.0, 0.4]), 0.08, 4.0
STEP_M = 0.015
"""By which the tool comes nearer to the circle per action."""
MOST_BRAKING_S = 0.05
"""Detected is held; whatever moves too fast for that brakes as hard as it may."""
STANDS = 1e-3
"""rad/s."""


class Sway:
    """Leads the arm to and fro about its start pose; `spoil` changes what it would plan."""

    contract, realtime = None, True

    def __init__(self, spoil: Callable[[np.ndarray], Any] = lambda actions: actions) -> None:
        self.spoil, self.took_s, self.home = spoil, 0.0, HOME.copy()

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None = None, frozen: int = 0) -> np.ndarray:
        time.sleep(self.took_s)
        q = obs[STATE][:7].astype(float)
        phase = np.arctan2(q[3] - HOME[3], q[0] - HOME[0]) if np.abs(q - HOME)[[0, 3]].max() > 0.05 else 0.0
        ahead = np.arange(1, LENGTH + 1)
        path = np.tile(self.home, (LENGTH, 1))
        path[:, 0] += 0.2 * np.cos(phase + 0.06 * ahead)
        path[:, 3] += 0.2 * np.sin(phase + 0.06 * ahead)
        nearer = np.minimum(1.0, ahead / 12)[:, None]
        actions = np.hstack([q + nearer * (path - q), np.full((LENGTH, 1), 0.06)])
        if previous is not None:
            actions[:frozen] = previous[:frozen]
        return self.spoil(actions)

    def renew(self) -> None:
        self.spoil, self.took_s = lambda actions: actions, 0.0


class Circle:
    """Leads the tool around a level circle; `spoil` changes what it would plan."""

    contract, realtime = None, True

    def __init__(self) -> None:
        self.spoil: Callable[[np.ndarray], np.ndarray] = lambda actions: actions
        self.centre = CENTRE.copy()

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None = None, frozen: int = 0) -> np.ndarray:
        pose = obs[STATE].astype(float)
        ahead, away = np.arange(1, LENGTH + 1), pose[:3] - self.centre
        phase = np.arctan2(away[1], away[0]) if np.hypot(*away[:2]) > 0.02 else 0.0
        turned = phase + 2 * np.pi * ahead / (TURN_S * RATE_HZ)
        goal = self.centre + RADIUS_M * np.stack([np.cos(turned), np.sin(turned), 0 * turned], axis=1)
        actions = np.tile(pose, (LENGTH, 1))
        far = np.linalg.norm(goal - pose[:3], axis=1)
        actions[:, :3] += np.minimum(1.0, STEP_M * ahead / far)[:, None] * (goal - pose[:3])
        actions[:, 3:] = [1, 0, 0, 0, -1, 0, 0.06]  # the hand straight down
        if previous is not None:
            actions[:frozen] = previous[:frozen]
        return self.spoil(actions)

    def renew(self) -> None:
        self.spoil, self.centre = lambda actions: actions, CENTRE.copy()


@pytest.fixture(scope="session")
def address() -> str:
    """Of this process of pytest alone: the ports are the real robot's."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"127.0.{os.getpid() % 200 + 1}.{int(worker) + 1}"


@pytest.fixture(scope="module")  # it takes half a core as long as it lives
def robot(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProcess]:
    log = tmp_path_factory.mktemp("franka") / "log"
    with SimulatedProcess("franka", ["--address", address], log=log) as process:
        yield process


def braking_s(folder: Path) -> list[tuple[float, float]]:
    """Of every recorded halt: from the cycle that says so until the set point stands, s of the robot's clock; and what
    its speed takes at the limit of acceleration."""
    names, cycles = read_cycles(folder)
    velocity = np.abs(cycles[:, [names.index(f"velocity/{joint}") for joint in JOINTS]])
    halted = cycles[:, names.index("phase")] == PHASES.index("halted")
    times, stands = cycles[:, names.index("time_s")], velocity.max(axis=1) < STANDS
    begins = np.flatnonzero(halted & ~np.roll(halted, 1))
    most = SafetyConfig().share * np.array(LIMITS.acceleration[:7])
    took = [float(times[begin:][stands[begin:]].min(initial=np.inf) - times[begin]) for begin in begins]
    return list(zip(took, (velocity[begins] / most).max(axis=1).tolist(), strict=True))


class Bench:
    """Sessions with one simulated robot."""

    def __init__(self, robot: SimulatedProcess, folder: Path) -> None:
        self.robot, self.folder, self.said = robot, folder, []
        for _ in range(50):  # an earlier session may still be letting go
            with suppress(RobotError):
                robot.ask("place")
                break
            time.sleep(0.1)
        self._before = robot.ask("report")["violations"]

    def violations(self) -> dict[str, int]:
        """What the robot has complained about since the test began."""
        now = self.robot.ask("report")["violations"]
        return {name: count for name, count in now.items() if count != self._before.get(name)}

    @contextmanager
    def session(
        self,
        plans: Any,
        mode: Mode = "ensemble",
        *,
        name: str = "franka",
        config: dict[str, Any] | None = None,
        senses: Mapping[str, Any] | None = None,
    ) -> Iterator[Session]:
        box, where = mailbox_path(), {"address": self.robot.address}
        told = Settings(name, where | (config or {}), RATE_HZ, 8, str(box), PlayerConfig(mode))
        try:
            with Session(told, plans, self.folder, senses=senses, tell=self.said.append) as session:
                yield session
        finally:
            box.unlink(missing_ok=True)
        if (self.folder / "cycles.f64").is_file():
            late = [took for took, least in braking_s(self.folder) if took > max(MOST_BRAKING_S, 1.5 * least)]
            assert not late, late

    def moving(self, session: Session, seconds: float = 1.0) -> None:
        """Until the arm sways, which a synchronous player lets stand between two plans."""
        session.play()
        session.run(seconds)
        session.run(1.0, lambda: self._sways(session))
        assert session.row is not None and session.row.phase == "playing", self.said
        assert self._sways(session)

    @staticmethod
    def _sways(session: Session) -> bool:
        return session.row is not None and bool(np.abs(session.row.velocity[:7]).max() > 0.05)

    def held(self, session: Session, rule: str, seconds: float = 1.5) -> None:
        """The session halts by `rule`; the robot agrees that it stands, and that no limit was passed."""
        assert session.row is not None
        session.run(seconds, lambda: session.row.phase == "halted")
        assert session.row.phase == "halted", self.said
        session.run(0.4)
        assert rule in self.rules(), self.said
        seen = self.robot.ask("report")
        assert seen["still_s"] > 0.1 and self.violations() == {}, seen

    def rules(self) -> list[str]:
        import json

        return [json.loads(line)["rule"] for line in (self.folder / "events.jsonl").read_text().splitlines()]


@pytest.fixture
def bench(robot: SimulatedProcess, tmp_path: Path) -> Iterator[Bench]:
    yield Bench(robot, tmp_path / "run")
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
