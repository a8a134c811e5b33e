"""`burnish trial CHECKPOINT`: fixed episodes of a task on the simulated robot, through driver and safety, or ROS 2.

The episodes are those of `burnish eval --task`; whether one succeeded is judged where the robot is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish import registry
from burnish.commands import flags, stage
from burnish.commands.deploy import simulated
from burnish.console import say, track
from burnish.real.journal import count_halts
from burnish.real.player import PlayerConfig
from burnish.real.ros.main import need_rclpy
from burnish.real.safety import SafetyConfig
from burnish.real.stands import SessionStand, Setup, Stand
from burnish.sim.protocols import protocol
from burnish.sim.records import Episode, Evaluation, Ledger


@dataclass(frozen=True)
class TrialConfig:
    """What to measure."""

    episodes: int = 20
    """The first so many of `burnish eval --task`."""
    address: str = "127.0.0.1"
    """Where the simulated robot listens."""
    ros: bool = False
    """Through ROS 2: policy, robot and tracker are nodes, in processes of their own."""


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
        ledger, folders = Ledger(config.out, rules), config.out / "episodes"
        missing = [episode for episode in range(rules.episodes) if episode not in ledger.episodes]
        done = rules.episodes - len(missing)
        with _stand(config) as stand, track("Playing on the robot", rules.episodes, done) as advance:
            for episode in missing:
                seed = rules.episode_seed(episode)
                played = stand.play(seed, rules.horizon, folders / f"{episode:03d}")
                ledger.add(Episode(episode, seed, played.solved, played.actions, float(played.solved)))
                record.save_clock()
                advance()
        judged = Evaluation(rules, tuple(ledger.episodes[episode] for episode in range(rules.episodes)))
        ledger.finish(judged)
        halts = sum(count_halts(folders / f"{episode:03d}") for episode in range(rules.episodes))
        result = record.finish(judged.numbers() | {"env_steps": None, "halts": halts})
        low, high = result["interval"]
        say(f"  success {result['success']:.0%} (95 % interval {low:.0%} to {high:.0%}), {halts} halts")
        return result


@contextmanager
def _stand(config: Config) -> Iterator[Stand]:
    """A simulated robot with a task before it, and a policy to move it."""
    setup = Setup(str(config.checkpoint), config.out, config.task, config.robot, config.player, config.safety)
    with simulated(config.robot, config.trial.address, config.out, ["--task", config.task]) as robot:
        if not config.trial.ros:
            with SessionStand(setup, robot) as stand:
                yield stand
            return
        need_rclpy()
        from burnish.real.ros.stand import NodesStand  # it needs rclpy

        with NodesStand(setup, robot) as stand:
            yield stand
