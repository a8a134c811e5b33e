"""LIBERO's evaluations as the field runs them; docs/evaluation.md says how they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, override

from burnish.errors import BurnishError
from burnish.sim.libero.perturbations import axis
from burnish.sim.libero.starts import TRAINING_STATES, Start, address
from burnish.sim.libero.suites import ALL, STANDARD, LiberoTask, select, suite_tasks
from burnish.sim.protocols import Family, Protocol
from burnish.sim.seeds import evaluation_seed


@dataclass(frozen=True)
class LiberoProtocol(Protocol):
    """Fixed starts of every task of a suite: episode e is trial e % trials of task e // trials.

    A trial's furniture and the agent's noise are those of its task and number, whether the task is played alone or
    with its suite.

    Attributes:
        trials: episodes of each task.
        first_trial: number of the first of them.
        states: (first, count) of the init states: trial t starts from number t; after the last comes the first again.
        placements: (first, per trial, per task): how the seed that furnishes an episode goes on.
        plan_steps: see `replan`.
    """

    trials: int = 50
    first_trial: int = 0
    states: tuple[int, int] = (0, 50)
    placements: tuple[int, int, int] = (0, 1, 0)
    plan_steps: int | None = None

    @property
    @override
    def replan(self) -> int | None:
        return self.plan_steps

    @property
    @override
    def axis(self) -> str:
        return axis(self.task.split("/")[1])

    def start(self, episode: int) -> Start:
        """Task, init state and furniture of `episode`."""
        task, trial = self._place(episode)
        (first, count), (placement, per_trial, per_task) = self.states, self.placements
        return Start(task, first + (trial - first) % count, placement + trial * per_trial + task * per_task)

    @override
    def episode_seed(self, episode: int) -> int:
        return address(self.start(episode), self.seed)

    @override
    def noise_seed(self, episode: int) -> int:
        # Not the address: PyTorch's generators look at the low 32 bits of a seed only.
        _, trial = self._place(episode)
        return evaluation_seed(self.name, self.version, self.member(episode), self.seed, trial)

    @override
    def member(self, episode: int) -> str:
        return _members(self.task)[self._place(episode)[0]]

    @override
    def title(self, episode: int) -> str:
        name = self.member(episode).removeprefix("libero/").replace("/", "_task_")
        return f"{name}_trial_{self._place(episode)[1]:02d}"

    @override
    def describe(self, episode: int) -> dict[str, Any]:
        task, trial = self._place(episode)
        start = self.start(episode)
        return {
            "task": self.member(episode),
            "instruction": _tasks(self.task)[task].language,
            "trial": trial,
            "init_state": start.state,
            "placement": start.placement,
        }

    def _place(self, episode: int) -> tuple[int, int]:
        """Number of the task in the environment, and of the trial."""
        task, trial = divmod(episode, self.trials)
        return task, self.first_trial + trial


@dataclass(frozen=True)
class LiberoFamily(Family):
    """How one evaluation loop of the field treats LIBERO. A change of anything that matters is a new `version`.

    Attributes:
        horizons: suite → steps per episode.
        plan_steps: actions its authors execute of each chunk; None leaves it to the policy.
        placements: as in `LiberoProtocol`, for task 0 of a suite.
        wraps: whether trials beyond the init states start from the first one again; refused if not.
    """

    name: str
    version: int
    horizons: Mapping[str, int]
    plan_steps: int | None
    placements: tuple[int, int, int]
    wraps: bool

    @override
    def horizon(self, what: str) -> int:
        # "object/3" and "object_swap" have the horizon of "object".
        family = what.partition("/")[0].partition("_")[0]
        return self.horizons.get(family, max(self.horizons.values()))

    @override
    def standard(self, what: str, trials: int | None, first_trial: int, seed: int) -> list[Protocol]:
        suites = STANDARD if what == ALL else (what,)
        return [self._protocol(suite, trials, first_trial, seed) for suite in suites]

    @override
    def unseen(self, what: str, episodes: int, seed: int) -> Protocol:
        tasks = len(select(what))
        if episodes % tasks:
            raise BurnishError(
                f"libero/{what} has {tasks} tasks, so {episodes} episodes cannot be shared evenly; "
                f"give a multiple of {tasks}, or --protocol libero/{what} --trials N"
            )
        held_out = (TRAINING_STATES, init_states(what) - TRAINING_STATES)
        return self._make(what, episodes // tasks, TRAINING_STATES, held_out, seed)

    def _protocol(self, what: str, trials: int | None, first_trial: int, seed: int) -> LiberoProtocol:
        states = init_states(what)
        if trials is None:
            trials = states if self.wraps else states - first_trial
        if not self.wraps and (trials < 1 or first_trial + trials > states):
            raise BurnishError(
                f"{self.name}/{what}: its tasks have init states 0 … {states - 1}, so {max(trials, 1)} trials from "
                f"number {first_trial} on are too many; at most {max(states - first_trial, 0)} from there"
            )
        return self._make(what, trials, first_trial, (0, states), seed)

    def _make(self, what: str, trials: int, first_trial: int, states: tuple[int, int], seed: int) -> LiberoProtocol:
        tasks = select(what)
        first, per_trial, per_task = self.placements
        # A task played alone is furnished as within its suite.
        first += per_task * suite_tasks(tasks[0].suite).index(tasks[0])
        return LiberoProtocol(
            name=self.name,
            version=self.version,
            task=f"libero/{what}",
            episodes=len(tasks) * trials,
            horizon=self.horizon(what),
            seed=seed,
            trials=trials,
            first_trial=first_trial,
            states=states,
            placements=(first, per_trial, per_task),
            plan_steps=self.plan_steps,
        )


OPENPI = LiberoFamily(
    name="libero-openpi",
    version=1,
    horizons={"spatial": 220, "object": 280, "goal": 300, "10": 520, "90": 400},
    plan_steps=5,
    placements=(7, 1, 0),
    wraps=False,
)
LEROBOT = LiberoFamily(
    name="libero-lerobot",
    version=1,
    horizons={"spatial": 280, "object": 280, "goal": 300, "10": 520, "90": 400},
    plan_steps=None,
    placements=(1000, 1, 0),
    wraps=True,
)


@cache
def init_states(what: str) -> int:
    """How many init states each task of `what` has at least."""
    return min(len(task.load_init_states()) for task in select(what))


def _tasks(full_name: str) -> tuple[LiberoTask, ...]:
    return select(full_name.removeprefix("libero/"))


@cache
def _members(full_name: str) -> list[str]:
    return [f"libero/{task.suite}/{suite_tasks(task.suite).index(task)}" for task in _tasks(full_name)]
