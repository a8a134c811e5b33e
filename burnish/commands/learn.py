"""`burnish train LEARNER --task TASK`: learn a task by acting in it, with neither data nor a checkpoint."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish import registry
from burnish.commands import flags, stage
from burnish.console import say


@dataclass(frozen=True)
class Config:
    """Learn a task by acting in it."""

    name: Annotated[str, Suppress, Fixed]
    """Registered name of the learner."""
    task: str
    """SIMULATOR/TASK."""
    out: Path
    """Folder of the run; the result is its `policy`."""
    train: Any
    """The learner's own settings."""
    randomize: dict[str, float] = field(default_factory=dict)
    """What of the world differs from episode to episode, e.g. `mass 0.3 friction 0.3`; `burnish.sim.randomize`."""
    bank: Path | None = None
    """States in the middle of the task (`burnish collect --states`), in which half of the episodes begin."""


def configure(name: str, words: list[str]) -> Config:
    """Command line words after the learner's name to a config."""
    return flags.parse(Config, words, prog=f"burnish train {name}", name=name, train=settings_type(name)())


def template(name: str, out: Path) -> Config:
    """A config of the right types, to be filled with what a run recorded."""
    return Config(name, "", out, settings_type(name)())


def settings_type(name: str) -> type[Any]:
    """The config dataclass of a registered learner: the type of its last argument, `cfg`."""
    return typing.get_type_hints(registry.learners.load(name))["cfg"]


def run(config: Config) -> dict[str, Any]:
    """Learn, or go on learning; returns what the learner reports and `wall_s`."""
    from burnish.sim.base import make_env
    from burnish.sim.randomize import asked

    learn, settings = registry.learners.load(config.name), config.train
    with stage.open_stage("train", config) as record:
        if done := stage.finished(record):
            return done
        say(f"Learning {config.task} by {config.name}, with neither data nor a checkpoint")
        simulator = registry.environments.load(config.task.partition("/")[0])
        dense = simulator.has_dense_reward
        if not dense:
            say(f"  {config.task} rewards nothing but success: it begins to learn once it has succeeded by chance")
        options = {"workers": settings.workers, "auto_reset": True, "dense_reward": dense}
        options["horizon"] = getattr(settings, "horizon", None)
        bank = {} if config.bank is None else {"bank": str(config.bank)}
        world = {**simulator.practice, **getattr(settings, "world", {})}
        options["settings"] = world | bank | asked(config.randomize)
        with make_env(config.task, settings.lanes, **options) as env:
            result = record.finish(learn(record, env, settings))
        say(
            f"  {result['env_steps']:,} environment steps in {result['wall_s']:.0f} s, "
            f"success while it tried {result['success']:.0%} → {config.out / 'policy'}"
        )
        return result
