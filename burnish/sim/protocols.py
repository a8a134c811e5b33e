"""Evaluation protocols: what exactly is measured, so that two success rates can be compared.

Episode i is a pure function of (protocol, task, i).
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, override

from burnish import registry
from burnish.errors import BurnishError
from burnish.sim.isaaclab.tasks import TASKS as ISAACLAB_TASKS
from burnish.sim.maniskill.tasks import TASKS as MANISKILL_TASKS
from burnish.sim.randomize import asked
from burnish.sim.seeds import evaluation_seed

LANES = 20
"""Episodes side by side. Fixed, so that a policy always computes on batches of one shape, whatever the machine."""


@dataclass(frozen=True)
class Protocol:
    """A fixed set of episodes of one task, or of the tasks of one suite.

    Attributes:
        task: full name of the environment, e.g. "metaworld/reach" or "libero/object".
        horizon: steps per episode; an episode ends earlier when it succeeds.
        lanes: environments side by side; episode i runs in lane i % lanes.
        seed: another seed is another set of episodes.
        randomize: what of the world differs from episode to episode (`burnish.sim.randomize`), on the same starts.
    """

    name: str
    version: int
    task: str
    episodes: int
    horizon: int
    lanes: int = LANES
    seed: int = 0
    randomize: Mapping[str, float] = field(default_factory=dict, hash=False, kw_only=True)

    def __post_init__(self) -> None:
        for part in ("episodes", "horizon", "lanes"):
            if getattr(self, part) < 1:
                raise BurnishError(f"protocol for {self.task}: {part} must be 1 or more, not {getattr(self, part)}")

    @property
    def replan(self) -> int | None:
        """Actions of a chunk that the protocol's authors execute before the next one; None leaves it to the policy."""
        return None

    def episode_seed(self, episode: int) -> int:
        """Seed of the environment; never one that training or recording uses."""
        return evaluation_seed(self.name, self.version, self.task, self.seed, episode)

    def noise_seed(self, episode: int) -> int:
        """Seed of the agent's noise."""
        return self.episode_seed(episode)

    def lane(self, episode: int) -> int:
        """The lane in which `episode` runs."""
        return episode % self.lanes

    def member(self, episode: int) -> str:
        """The single task that `episode` plays, by its full name."""
        return self.task

    @property
    def settings(self) -> dict[str, Any]:
        """Of the simulator, for `make_env`: those that are not its defaults."""
        return {}

    @property
    def world(self) -> dict[str, Any]:
        """`settings`, and what is to be uncertain."""
        return self.settings | asked(self.randomize)

    @property
    def axis(self) -> str:
        """In what the task is changed from the standard one; empty if it is not."""
        return ""

    def title(self, episode: int) -> str:
        """A short name for the files of `episode`."""
        return f"episode_{episode:03d}"

    def describe(self, episode: int) -> dict[str, Any]:
        """What else identifies `episode`, for its line in `episodes.jsonl`."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        parts = dataclasses.asdict(self)
        return parts if self.randomize else {name: value for name, value in parts.items() if name != "randomize"}


class Family(ABC):
    """Rules under a name, by which every task of a simulator gets its protocol."""

    @abstractmethod
    def horizon(self, what: str) -> int:
        """Steps per episode of `what`."""

    @abstractmethod
    def standard(self, what: str, trials: int | None, first_trial: int, seed: int) -> list[Protocol]:
        """The protocols of `what` ("reach", "object", "object/3"): several if it stands for several suites.

        `trials` episodes of each task (None: as the rules have it), beginning with number `first_trial`.
        """

    @abstractmethod
    def unseen(self, what: str, episodes: int, seed: int) -> Protocol:
        """`episodes` of `what` from starts that neither training nor recording uses."""


@dataclass(frozen=True)
class SeededFamily(Family):
    """For a simulator that draws its starts from a seed. A change of any default is a new `version`."""

    simulator: str
    version: int
    steps: int
    """Horizon."""
    longer: Mapping[str, int]
    """Tasks whose scripted expert needs more steps, with their horizon."""

    @override
    def horizon(self, what: str) -> int:
        return self.longer.get(what, self.steps)

    @override
    def standard(self, what: str, trials: int | None, first_trial: int, seed: int) -> list[Protocol]:
        if first_trial:
            raise BurnishError(
                f"{self.simulator} draws its starts: another --eval.seed gives others, not --first-trial"
            )
        return [self.unseen(what, 100 if trials is None else trials, seed)]

    @override
    def unseen(self, what: str, episodes: int, seed: int) -> Protocol:
        task = f"{self.simulator}/{what}"
        return Protocol(self.simulator, self.version, task, episodes, self.horizon(what), seed=seed)


METAWORLD = SeededFamily("metaworld", 1, 200, {"basketball": 250, "bin-picking": 250, "push-back": 400})

MANISKILL = SeededFamily("maniskill", 1, 50, {name: task.steps for name, task in MANISKILL_TASKS.items()})
"""The horizons are its own."""

MJLAB = SeededFamily(
    "mjlab", 1, 1000, dict.fromkeys(["Tracking-Flat-Unitree-G1", "Tracking-Flat-Unitree-G1-No-State-Estimation"], 500)
)

FRANKA = SeededFamily("franka", 1, 200, {"reach": 100, "push-t": 500})

QUADROTOR = SeededFamily("quadrotor", 1, 500, {"track": 1000, "waypoints": 1000, "race": 2000})

UNITREE = SeededFamily("unitree", 1, 1000, {})

ROBOSUITE = SeededFamily("robosuite", 1, 400, {})
"""The horizon is robomimic's (arXiv 2108.03298)."""

ISAACLAB = SeededFamily("isaaclab", 1, 300, {name: task.steps for name, task in ISAACLAB_TASKS.items()})
"""The horizons are its own."""


def protocol(task: str, episodes: int = 100, seed: int = 0) -> Protocol:
    """`episodes` of `task` ("metaworld/reach", "libero/object") from starts that nothing is trained on.

    Raises `UnknownNameError` with the closest match for a simulator without a protocol.
    """
    name, what = _split(task, "task", "SIMULATOR/TASK", f"metaworld/{task}")
    return _family(name).unseen(what, episodes, seed)


def protocols(name: str, trials: int | None = None, first_trial: int = 0, seed: int = 0) -> list[Protocol]:
    """What the protocol `name` ("metaworld/reach", "libero/object", "libero-lerobot/object/3") stands for.

    Args:
        trials: episodes of each task; None for as many as the protocol has.
        first_trial: number of the first of them.
        seed: another one gives other episodes, or where the starts are fixed, other noise.
    Raises `UnknownNameError` with the closest match.
    """
    family, what = _split(name, "protocol", "PROTOCOL/TASK", f"libero/{name}")
    if trials is not None and trials < 1:
        raise BurnishError(f"{name}: trials must be 1 or more, not {trials}")
    if first_trial < 0:
        raise BurnishError(f"{name}: first_trial must be 0 or more, not {first_trial}")
    return _family(family).standard(what, trials, first_trial, seed)


def horizon(task: str) -> int:
    """Default steps per episode of `task`."""
    name, what = _split(task, "task", "SIMULATOR/TASK", f"metaworld/{task}")
    return _family(name).horizon(what)


def _split(name: str, kind: str, form: str, example: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash:
        raise BurnishError(f"{kind} {name!r} has no {form.partition('/')[0].lower()}; write {form}, e.g. {example}")
    return first, rest


def _family(name: str) -> Family:
    return registry.protocols.load(name)
