"""A policy that moves a simulated robot through an episode of a task: what `burnish trial` plays on."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, override

import numpy as np

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE
from burnish.opening import Opened
from burnish.real.control import Settings
from burnish.real.planning import open_plans
from burnish.real.player import PlayerConfig
from burnish.real.safety import SafetyConfig
from burnish.real.session import Session, mailbox_path
from burnish.real.simulated import SimulatedProcess
from burnish.real.trackers.base import Tracker, load_tracker

SLOWEST = 8.0
"""A computer that simulates so many times slower than time passes is given up on."""


@dataclass(frozen=True)
class Setup:
    """What stands there.

    Attributes:
        checkpoint: of the policy, an exported one, or ws://HOST:PORT of a policy server.
        out: folder for what the policy's server says.
        task: ROBOT/TASK.
        robot: its registered name.
    """

    checkpoint: str
    out: Path
    task: str
    robot: str
    player: PlayerConfig
    safety: SafetyConfig


@dataclass(frozen=True)
class Played:
    """One episode: whether it was solved, after how many actions, and how often the robot was halted."""

    solved: bool
    actions: int
    halts: int


class Stand(Opened):
    """For `with`: the policy of `setup`, a simulated robot, and a tracker that sees what lies around it."""

    def __init__(self, setup: Setup, robot: SimulatedProcess) -> None:
        super().__init__()
        self._setup, self._robot = setup, robot

    @override
    def _open(self) -> None:
        kind = load_tracker("simulated")
        self._tracker: Tracker = kind(kind.Config(self._robot.door))
        self._stack.callback(self._tracker.close)

    @abstractmethod
    def play(self, seed: int, horizon: int, folder: Path) -> Played:
        """The episode of `seed`, until it is solved, halted, or `horizon` actions are over; recorded in `folder`."""

    def _begin(self, seed: int, state: Callable[[], np.ndarray]) -> Any:
        """The task, placed before the robot for the episode of `seed`; `state`: the robot's latest, (S,)."""
        task = registry.tracked_tasks.load(self._setup.robot)(self._setup.task, self._tracker, state)
        self._robot.ask("place", **task.begin(seed))
        return task


class SessionStand(Stand):
    """Through driver and safety, in this process and its children."""

    @override
    def _open(self) -> None:
        super()._open()
        self._plans = self._stack.enter_context(open_plans(self._setup.checkpoint, self._setup.out))

    @override
    def play(self, seed: int, horizon: int, folder: Path) -> Played:
        setup, plans = self._setup, self._plans
        latest: list[Session] = []
        task = self._begin(seed, lambda: _state(latest))
        box = mailbox_path()
        settings = asdict(registry.robots.load(setup.robot).Config(address=self._robot.address))
        told = Settings(setup.robot, settings, plans.rate_hz, plans.replan, str(box), setup.player, setup.safety)
        try:
            with Session(told, plans, folder, senses={ENVIRONMENT_STATE: task.know}, tell=lambda line: None) as session:
                latest.append(session)
                session.play()
                solved = _watch(session, task.solved, horizon, plans.rate_hz)
                seen = session.summary()
        finally:
            box.unlink(missing_ok=True)
        return Played(solved, min(seen["actions"], horizon), seen["halts"])


def _state(latest: Sequence[Session]) -> np.ndarray:
    row = latest[-1].row
    assert row is not None
    return row.state


def _watch(session: Session, solved: Any, horizon: int, rate_hz: float) -> bool:
    """Let it play until it is solved, halted, or `horizon` actions are over; asked once an action."""
    asked, done = -1, False

    def over() -> bool:
        nonlocal asked, done
        row = session.row
        if row is None or row.phase == "halted":
            return row is not None
        if row.slot == asked:
            return False
        asked = row.slot
        done = solved()
        return done or row.slot > horizon

    session.run(math.ceil(SLOWEST * horizon / rate_hz), over)
    return done
