"""Fixed episodes of LIBERO: from its init states, with the furniture and the noise that a trial always has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, override

from burnish.sim.libero.perturbations import axis
from burnish.sim.libero.starts import SETTLE_STEPS, Start, address
from burnish.sim.libero.suites import LiberoTask, select, suite_tasks
from burnish.sim.protocols import Protocol
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
        settle_steps: before an episode begins.
    """

    trials: int = 50
    first_trial: int = 0
    states: tuple[int, int] = (0, 50)
    placements: tuple[int, int, int] = (0, 1, 0)
    plan_steps: int | None = None
    settle_steps: int = SETTLE_STEPS

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {} if self.settle_steps == SETTLE_STEPS else {"settle_steps": self.settle_steps}

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


def _tasks(full_name: str) -> tuple[LiberoTask, ...]:
    return select(full_name.removeprefix("libero/"))


@cache
def _members(full_name: str) -> list[str]:
    return [f"libero/{task.suite}/{suite_tasks(task.suite).index(task)}" for task in _tasks(full_name)]
