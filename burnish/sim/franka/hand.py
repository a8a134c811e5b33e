"""The hand as the robot's driver has it (`burnish.real.franka.hand`), for many at once.

A wish counts once it has stood for a moment, a motion that began is finished before the next one, and the fingers are
measured only at rest: meanwhile they are believed to be where nothing in between would have stopped them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from burnish.arrays import Array, Constant, namespace
from burnish.sim.lanes import Lanes

SPEED_MPS = 0.1
"""`burnish.real.franka.hand.SPEED`; what follows is there too."""
WIDEST = 0.08
"""Opening, m."""
CHANGE_M = 0.004
SETTLED_S = 0.02
BEHIND_S = 0.1
RESTS_M = 2e-4
"""Fingers that moved less than this in one action have come to rest, whether they are there or something is between."""
PARTS = ("target", "goal", "coming", "since", "told", "before", "begun", "moved")


class Hands:
    """Openings, m.

    Attributes:
        now: (8, N) `PARTS`: what the fingers are driven to, where the motion ends, what was wished last, for how many
            ticks, what is told, how wide they were before the last action, where the motion began, and for how many
            ticks it has gone on; 0 at rest.
    """

    def __init__(self, lanes: int, ticks: int, tick_s: float, zeros: Callable[..., Array] = np.zeros) -> None:
        """`ticks`: of an action, `tick_s` apart; `zeros` makes `now`: of which library, and on which device."""
        self.now = zeros((len(PARTS), lanes))
        self._ticks, self._numbers, self._stride = ticks, Constant(np.arange(1.0, ticks + 1)), SPEED_MPS * tick_s
        self._settled, self._behind = _settled(tick_s), round(BEHIND_S / tick_s)

    def follow(self, lanes: Lanes, wish: Array, measured: Array) -> Array:
        """(n, ticks) what the fingers are driven to in each tick: `wish` (n,) is commanded, they are `measured` (n,)
        apart."""
        target, goal, coming, since, told, _, begun, moved = self.now[:, lanes]
        xp, numbers = namespace(wish), self._numbers.like(wish)
        fresh = xp.abs(wish - coming) > CHANGE_M / 4
        coming, since = xp.where(fresh, wish, coming), xp.where(fresh, 0, since)
        first = xp.clip(self._settled - since, 0, None)
        begins = (moved == 0) & (xp.abs(coming - goal) > CHANGE_M) & (first < self._ticks)
        target, begun, goal = (
            xp.where(begins, new, part) for new, part in ((measured, target), (measured, begun), (coming, goal))
        )
        going, start = begins | (moved > 0), xp.where(begins, first, 0)
        walked = self._stride * xp.clip(numbers - start[:, None], 0, None)
        way = xp.where(going, goal - target, 0)[:, None]
        path = target[:, None] + xp.sign(way) * xp.minimum(walked, xp.abs(way))
        moved = xp.where(begins, self._ticks - start, moved + self._ticks * going)
        self.now[:, lanes] = xp.stack([path[:, -1], goal, coming, since + self._ticks, told, measured, begun, moved])
        return path

    def look(self, lanes: Lanes, measured: Array) -> None:
        """After an action, the fingers being `measured` (n,) apart: those that came to rest are measured."""
        target, goal, coming, since, _, before, begun, moved = self.now[:, lanes]
        xp = namespace(measured)
        # In the action with which a motion begins, the fingers may hardly have moved yet.
        rests = (moved == 0) | ((moved > self._ticks) & (xp.abs(measured - before) < RESTS_M))
        way, walked = goal - begun, self._stride * xp.clip(moved - self._behind, 0, None)
        told = xp.where(rests, measured, begun + xp.sign(way) * xp.minimum(walked, xp.abs(way)))
        target, moved = xp.where(rests, goal, target), xp.where(rests, 0, moved)
        self.now[:, lanes] = xp.stack([target, goal, coming, since, told, before, begun, moved])

    def wished(self, lanes: Lanes) -> Array:
        """(n,) what was wished last."""
        return self.now[PARTS.index("coming"), lanes]

    def told(self, lanes: Lanes) -> Array:
        """(n,) how wide they say that they are."""
        return self.now[PARTS.index("told"), lanes]


def resting(width: float, tick_s: float) -> np.ndarray:
    """(8,) of `Hands.now`: at rest, and wished to be, `width` apart."""
    return np.array([width, width, width, _settled(tick_s), width, width, width, 0])


def _settled(tick_s: float) -> int:
    """For how many ticks a wish has to stand."""
    return round(SETTLED_S / tick_s)
