"""LIBERO's evaluations as the field runs them; docs/evaluation.md says how they differ, and from their originals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import override

from burnish.errors import BurnishError
from burnish.sim.libero.protocols import LiberoProtocol
from burnish.sim.libero.starts import SETTLE_STEPS, TRAINING_STATES
from burnish.sim.libero.suites import ALL, STANDARD, select, suite_tasks
from burnish.sim.protocols import Family, Protocol


@dataclass(frozen=True)
class LiberoFamily(Family):
    """How one evaluation loop of the field treats LIBERO. A change of anything that matters is a new `version`.

    Attributes:
        horizons: suite → steps per episode.
        plan_steps: actions its authors execute of each chunk; None leaves it to the policy.
        furniture: (seed of trial 0, its step from trial to trial); None: every episode has one of its own, counted
            trial by trial.
        wraps: whether trials beyond the init states start from the first one again; refused if not.
    """

    name: str
    version: int
    horizons: Mapping[str, int]
    plan_steps: int | None
    furniture: tuple[int, int] | None
    wraps: bool
    settle_steps: int = SETTLE_STEPS

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
        states = init_states(what)
        # Perturbed suites may have ten init states, of which nothing is in any demonstration.
        first = TRAINING_STATES if states > TRAINING_STATES else 0
        return self._make(what, episodes // tasks, first, (first, states - first), seed)

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
        suite = suite_tasks(tasks[0].suite)
        # A task played alone is furnished as within its suite.
        placements = (*self.furniture, 0) if self.furniture else (suite.index(tasks[0]), len(suite), 1)
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
            placements=placements,
            plan_steps=self.plan_steps,
            settle_steps=self.settle_steps,
        )


OPENPI = LiberoFamily(
    name="libero-openpi",
    version=1,
    horizons={"spatial": 220, "object": 280, "goal": 300, "10": 520, "90": 400},
    plan_steps=5,
    furniture=(7, 1),
    wraps=False,
)
LEROBOT = LiberoFamily(
    name="libero-lerobot",
    version=1,
    horizons={"spatial": 280, "object": 280, "goal": 300, "10": 520, "90": 400},
    plan_steps=None,
    furniture=(1000, 1),
    wraps=True,
)
RLINF = LiberoFamily(
    name="libero-rlinf",
    version=1,
    horizons={"spatial": 240, "object": 280, "goal": 320, "10": 520, "90": 512},
    plan_steps=5,
    furniture=None,
    wraps=False,
    settle_steps=15,
)


@cache
def init_states(what: str) -> int:
    """How many init states each task of `what` has at least."""
    return min(len(task.load_init_states()) for task in select(what))
