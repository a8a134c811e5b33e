"""The energy tank of an arm whose tool, not whose joints, hangs on springs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from burnish.real.base import State
from burnish.real.energy import EnergyTank
from burnish.real.franka.body import Frame, Vector, dot, minus, tool
from burnish.real.motion import Moment

APPARENT = (1.0, 1.0, 1.0, 0.05, 0.05, 0.05)
"""kg and kg·m² at the tool, of the lighter poses, for which the controller's damping is taken to be critical."""
PARTS = 3
"""Cycles per look."""


class CartesianTank(EnergyTank):
    """What the springs along and about the tool's axes do when their set point moves is drawn from it.

    Where the tool is and should be takes longer to find than there is time before the robot has its answer: it is found
    in parts, one a cycle.
    """

    def __init__(self, stiffness: Sequence[float], capacity_j: float) -> None:
        """`stiffness` (6,): N/m along and N·m/rad about the tool's axes."""
        damping = [2 * math.sqrt(spring * mass) for spring, mass in zip(stiffness, APPARENT, strict=True)]
        super().__init__(tuple(stiffness), tuple(damping), capacity_j)

    def fill(self) -> None:
        """To the brim, as at a start."""
        super().fill()
        self._cycle, self._tools = 0, None

    def _power(self, state: State, now: Moment, period_s: float) -> float:
        part, self._cycle = self._cycle % PARTS, self._cycle + 1
        if part == 0:
            self._here, self._goal = tool(state.measured.tolist()), now[0].tolist()
        elif part == 1:
            self._aim = tool(self._goal)
        else:
            return self._work(PARTS * period_s) / period_s
        return 0.0

    def _work(self, span_s: float) -> float:
        """J that flowed into the tank since the last time."""
        here, aim = self._here, self._aim
        before, aimed = self._tools or (here, aim)
        self._tools = here, aim
        along = minus(here[3], before[3]), minus(aim[3], here[3]), minus(aim[3], aimed[3])
        about = _turn(before, here), _turn(here, aim), _turn(aimed, aim)
        work, motions = 0.0, ((here[:3], along), (here[:3], about))
        pairs = [(axis, parts) for axes, parts in motions for axis in axes]
        for (stiffness, damping), (axis, parts) in zip(self._springs, pairs, strict=True):
            moved, away, aims = (dot(axis, part) for part in parts)
            work += damping * moved * moved / span_s - stiffness * away * aims
        return work


def _turn(one: Frame, other: Frame) -> Vector:
    """From `one` to `other`, rad, about the axes of the base: the sine of it, of which these are small."""
    total = [0.0, 0.0, 0.0]
    for (a, b, c), (d, e, f) in zip(one[:3], other[:3], strict=True):
        total[0] += b * f - c * e
        total[1] += c * d - a * f
        total[2] += a * e - b * d
    return (total[0] / 2, total[1] / 2, total[2] / 2)
