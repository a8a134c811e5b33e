"""LIBERO-PRO (arXiv 2510.03827): the standard suites with something changed, judged by openpi's rules."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import override

from burnish import registry
from burnish.errors import BurnishError
from burnish.sim.libero.families import OPENPI, LiberoFamily, init_states
from burnish.sim.libero.perturbations import lacks
from burnish.sim.libero.suites import STANDARD, perturbations, select
from burnish.sim.protocols import Family, Protocol


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
            return self.rules.standard(what, trials, first_trial, seed)
        found = self.rules.standard(what, trials, first_trial, seed)
        trials = found[0].episodes // len(select(what))
        for suite in perturbations(what):
            if not lacks(suite):
                # As many trials as of the standard suite, and the same ones, as far as this one has init states.
                states = init_states(suite)
                count = min(trials, states)
                found += self.rules.standard(suite, count, min(first_trial, states - count), seed)
        return found

    @override
    def unseen(self, what: str, episodes: int, seed: int) -> Protocol:
        return self.rules.unseen(what, episodes, seed)

    def _check(self, what: str) -> None:
        suite = what.partition("/")[0]
        known = [name for standard in STANDARD for name in (standard, *perturbations(standard))]
        if suite not in known:
            raise registry.unknown("protocol", f"libero-pro/{what}", [f"libero-pro/{name}" for name in known])
        if suite in STANDARD:
            raise BurnishError(f"libero-pro/{what}: the suites differ in their tasks; write libero-pro/{suite}")
        if lack := lacks(suite):
            raise BurnishError(f"libero-pro/{what} cannot be played: its package lacks {lack}; choose another suite")


PRO = ProFamily(dataclasses.replace(OPENPI, name="libero-pro"))
