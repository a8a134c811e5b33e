"""Evaluation protocols: what exactly is measured, so that two success rates can be compared.

Episode i is a pure function of (protocol, task, i). Light to import: the command line reads horizons from here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from burnish import registry
from burnish.errors import BurnishError
from burnish.sim.seeds import evaluation_seed

LANES = 20
"""Episodes side by side. Fixed, so that a policy always computes on batches of one shape, whatever the machine."""


@dataclass(frozen=True)
class Suite:
    """Defaults of one simulator's tasks. A change of any of them is a new `version`."""

    version: int
    horizon: int
    """Steps per episode."""
    longer: Mapping[str, int] = field(default_factory=dict)
    """Tasks whose scripted expert needs more steps, with their horizon."""


SUITES = {
    "metaworld": Suite(1, 200, {"basketball": 250, "bin-picking": 250, "push-back": 400}),
    "libero": Suite(1, 520, {"spatial": 220, "object": 280, "goal": 300, "90": 400}),
}


@dataclass(frozen=True)
class Protocol:
    """A fixed set of episodes of one task.

    Attributes:
        task: full name, e.g. "metaworld/reach".
        horizon: steps per episode; an episode ends earlier when it succeeds.
        lanes: environments side by side; episode i runs in lane i % lanes.
        seed: another seed is another set of starts.
    """

    name: str
    version: int
    task: str
    episodes: int
    horizon: int
    lanes: int = LANES
    seed: int = 0

    def __post_init__(self) -> None:
        for part in ("episodes", "horizon", "lanes"):
            if getattr(self, part) < 1:
                raise BurnishError(f"protocol for {self.task}: {part} must be 1 or more, not {getattr(self, part)}")

    def episode_seed(self, episode: int) -> int:
        """Seed of the environment and of the agent's noise; never one that training or collection uses."""
        return evaluation_seed(self.name, self.version, self.task, self.seed, episode)

    def lane(self, episode: int) -> int:
        """The lane in which `episode` runs."""
        return episode % self.lanes

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)


def protocol(task: str, episodes: int = 100, seed: int = 0) -> Protocol:
    """The standard protocol of `task` ("metaworld/reach"). Raises `UnknownNameError` for a simulator without one."""
    name, slash, rest = task.partition("/")
    if not slash:
        raise BurnishError(f"task {task!r} has no simulator; write SIMULATOR/TASK, e.g. metaworld/{task}")
    suite = _suite(name)
    # "object/3" and "object_swap" have the horizon of "object".
    family = rest.partition("/")[0].partition("_")[0]
    return Protocol(name, suite.version, task, episodes, suite.longer.get(family, suite.horizon), seed=seed)


def horizon(task: str) -> int:
    """Default steps per episode of `task`."""
    return protocol(task).horizon


def _suite(name: str) -> Suite:
    if name not in SUITES:
        raise registry.unknown("evaluation protocol", name, SUITES)
    return SUITES[name]
