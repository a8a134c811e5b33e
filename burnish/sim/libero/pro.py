"""LIBERO-PRO (arXiv 2510.03827): the standard suites with something changed, judged by openpi's rules."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import override

from burnish import registry
from burnish.errors import BurnishError
from burnish.sim.libero.protocols import OPENPI, LiberoFamily, LiberoProtocol, init_states
from burnish.sim.libero.suites import STANDARD, perturbations
from burnish.sim.protocols import Family, Protocol

AXES = {
    "lan": "instruction reworded",
    "object": "objects look different",
    "swap": "objects change places",
    "task": "another task in the scene",
    "with": "something lies in the way",
}
"""Beginning of what a suite's name adds to the standard one's → what is changed."""
OTHER_AXIS = "episodes mixed"


@dataclass(frozen=True)
class ProProtocol(LiberoProtocol):
    """A perturbed suite, or a standard one beside it."""

    @property
    @override
    def axis(self) -> str:
        standard, _, change = self.task.partition("/")[2].partition("/")[0].partition("_")
        return AXES.get(change.partition("_")[0], OTHER_AXIS) if change and standard in STANDARD else ""


@dataclass(frozen=True)
class ProFamily(Family):
    """`libero-pro/object` is the standard suite and every perturbed one; `libero-pro/object_swap` is one of them."""

    rules: LiberoFamily

    @override
    def horizon(self, what: str) -> int:
        return self.rules.horizon(what)

    @override
    def standard(self, what: str, trials: int | None, first_trial: int, seed: int) -> list[Protocol]:
        if what not in STANDARD:
            self._check(what)
            return [_pro(one) for one in self.rules.standard(what, trials, first_trial, seed)]
        found = _pro(*self.rules.standard(what, trials, first_trial, seed))
        return [found, *(self._beside(found, suite) for suite in _usable(what))]

    @override
    def unseen(self, what: str, episodes: int, seed: int) -> Protocol:
        return self.rules.unseen(what, episodes, seed)

    def _beside(self, standard: LiberoProtocol, suite: str) -> Protocol:
        """As many trials as of the standard suite, and the same ones, as far as `suite` has init states."""
        states = init_states(suite)
        trials = min(standard.trials, states)
        first = min(standard.first_trial, states - trials)
        return _pro(*self.rules.standard(suite, trials, first, standard.seed))

    def _check(self, what: str) -> None:
        suite = what.partition("/")[0]
        known = [name for standard in STANDARD for name in (standard, *perturbations(standard))]
        if suite not in known:
            raise registry.unknown("protocol", f"libero-pro/{what}", [f"libero-pro/{name}" for name in known])
        if suite in STANDARD:
            raise BurnishError(
                f"libero-pro/{what}: tasks of several suites differ; write libero-pro/{suite}, or {what}"
            )


PRO = ProFamily(dataclasses.replace(OPENPI, name="libero-pro"))


def _pro(found: Protocol) -> ProProtocol:
    return ProProtocol(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found)})


@cache
def _usable(suite: str) -> list[str]:
    """Perturbed suites of which every task has init states: some were published with empty files."""
    return [name for name in perturbations(suite) if init_states(name) > 0]
