"""`burnish trial CHECKPOINT`: fixed episodes of a task on the simulated robot, through driver and safety.

The episodes are those of `burnish eval --task`; whether one succeeded is judged where the robot is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from tyro.conf import Fixed, Suppress

from burnish import registry
from burnish.commands import flags, stage
from burnish.commands.deploy import simulated
from burnish.console import say, track
from burnish.contract import ENVIRONMENT_STATE
from burnish.real.control import Settings
from burnish.real.planning import Plans, open_plans
from burnish.real.player import PlayerConfig
from burnish.real.safety import SafetyConfig
from burnish.real.session import Session, mailbox_path
from burnish.real.simulated import SimulatedProcess
from burnish.real.trackers.base import load_tracker
from burnish.sim.protocols import Protocol, protocol
from burnish.sim.records import Episode, Evaluation, Ledger

SLOWEST = 8.0
"""A computer that simulates so many times slower than time passes is given up on."""


@dataclass(frozen=True)
class TrialConfig:
    """What to measure."""

    episodes: int = 20
    """The first so many of `burnish eval --task`."""
    address: str = "127.0.0.1"
    """Where the simulated robot listens."""


@dataclass(frozen=True)
class Config:
    """Play fixed episodes of a task on the simulated robot: success with an interval, and what safety had to say."""

    checkpoint: Annotated[Path, Suppress, Fixed]
    """The policy to judge: a checkpoint, or an exported one."""
    out: Path
    """Folder of the run: result.json, episodes.jsonl, and of every episode what the robot did."""
    task: str
    """ROBOT/TASK, e.g. franka/lift: whose things lie before the robot, and when they are where they should be."""
    robot: str = "franka"
    """Which one is simulated."""
    trial: TrialConfig = field(default_factory=TrialConfig)
    player: PlayerConfig = field(default_factory=PlayerConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)


def configure(words: list[str]) -> Config:
    """The checkpoint first, then settings."""
    checkpoint, rest = flags.take_name(words, "burnish trial", "checkpoint")
    return flags.parse(Config, rest, prog="burnish trial CHECKPOINT", checkpoint=Path(checkpoint))


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    return Config(Path(recorded["checkpoint"]), out, recorded["task"])


def check(robot: str, task: str) -> None:
    """Raise `UnknownNameError` with the closest match unless `robot` is one whose tasks a tracker sees, `task` among
    them."""
    registry.tracked_tasks.load(robot).check(task)


def run(config: Config) -> dict[str, Any]:
    """Play the episodes that are not played yet; returns what `result.json` holds."""
    check(config.robot, config.task)
    with stage.open_stage("trial", config) as record:
        if (done := stage.finished(record)) is not None:
            return done
        rules = protocol(config.task, config.trial.episodes)
        ledger, halts, begin = Ledger(config.out, rules), 0, time.monotonic()
        missing = [episode for episode in range(rules.episodes) if episode not in ledger.episodes]
        done = rules.episodes - len(missing)
        with _Stand(config, rules) as stand, track("Playing on the robot", rules.episodes, done) as advance:
            for episode in missing:
                played, halted = stand.play(episode)
                ledger.add(played)
                halts += halted
                advance()
        judged = Evaluation(rules, tuple(ledger.episodes[episode] for episode in range(rules.episodes)))
        ledger.finish(judged)
        wall_s = round(time.monotonic() - begin, 2)
        result = record.finish(judged.numbers() | {"env_steps": None, "halts": halts, "wall_s": wall_s})
        low, high = result["interval"]
        say(f"  success {result['success']:.0%} (95 % interval {low:.0%} to {high:.0%}), {halts} halts")
        return result


class _Stand:
    """A simulated robot with a task before it, and a policy to move it; for `with`."""

    def __init__(self, config: Config, rules: Protocol) -> None:
        self._config, self._rules, self._stack = config, rules, ExitStack()

    def __enter__(self) -> _Stand:
        config, enter = self._config, self._stack.enter_context
        try:
            what = ["--task", config.task]
            self._robot: SimulatedProcess = enter(simulated(config.robot, config.trial.address, config.out, what))
            kind = load_tracker("simulated")
            self._tracker = kind(kind.Config(self._robot.door))
            self._stack.callback(self._tracker.close)
            self._plans: Plans = enter(open_plans(str(config.checkpoint), config.out))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, episode: int) -> tuple[Episode, int]:
        """One, from its start to success, horizon or halt; and how often it was halted."""
        config, seed = self._config, self._rules.episode_seed(episode)
        latest: list[Session] = []
        task = registry.tracked_tasks.load(config.robot)(config.task, self._tracker, lambda: _state(latest))
        self._robot.ask("place", **task.begin(seed))
        box = mailbox_path()
        settings = asdict(registry.robots.load(config.robot).Config(address=self._robot.address))
        plans = self._plans
        told = Settings(config.robot, settings, plans.rate_hz, plans.replan, str(box), config.player, config.safety)
        senses, folder = {ENVIRONMENT_STATE: task.know}, config.out / "episodes" / f"{episode:03d}"
        try:
            with Session(told, plans, folder, senses=senses, tell=lambda line: None) as session:
                latest.append(session)
                session.play()
                solved = _watch(session, task.solved, self._rules.horizon, plans.rate_hz)
                seen = session.summary()
        finally:
            box.unlink(missing_ok=True)
        length = min(seen["actions"], self._rules.horizon)
        return Episode(episode, seed, solved, length, float(solved)), seen["halts"]


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
