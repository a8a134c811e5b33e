"""The hand as the robot's driver has it (`burnish.real.franka.hand`), for many at once.

A wish counts once it has stood for a moment, a motion that began is finished before the next one, and the fingers are
measured only at rest: meanwhile they are believed to be where nothing in between would have stopped them.
"""

from __future__ import annotations

import numpy as np

from burnish.sim.lanes import Lanes

SPEED_MPS = 0.1
"""`burnish.real.franka.hand.SPEED`; what follows is there too."""
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

    def __init__(self, lanes: int, ticks: int, tick_s: float) -> None:
        """`ticks`: of an action, `tick_s` apart."""
        self.now = np.zeros((len(PARTS), lanes))
        self._ticks, self._numbers, self._stride = ticks, np.arange(1, ticks + 1), SPEED_MPS * tick_s
        self._settled, self._behind = round(SETTLED_S / tick_s), round(BEHIND_S / tick_s)

    def start(self, lane: int, width: float) -> None:
        """At rest, and wished to be, `width` apart."""
        self.now[:, lane] = width, width, width, self._settled, width, width, width, 0

    def follow(self, lanes: Lanes, wish: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """(n, ticks) what the fingers are driven to in each tick: `wish` (n,) is commanded, they are `measured` (n,)
        apart."""
        now = self.now[:, lanes]
        target, goal, coming, since, _, before, begun, moved = now
        fresh = np.abs(wish - coming) > CHANGE_M / 4
        np.copyto(coming, wish, where=fresh)
        np.copyto(since, 0, where=fresh)
        first = np.maximum(self._settled - since, 0)
        begins = (moved == 0) & (np.abs(coming - goal) > CHANGE_M) & (first < self._ticks)
        for part, new in ((target, measured), (begun, measured), (goal, coming)):
            np.copyto(part, new, where=begins)
        path = np.repeat(target[:, None], self._ticks, axis=1)
        if len(going := np.flatnonzero(begins | (moved > 0))):
            start = np.where(begins, first, 0)[going]
            walked = self._stride * np.maximum(self._numbers - start[:, None], 0)
            way = (goal - target)[going, None]
            path[going] += np.sign(way) * np.minimum(walked, np.abs(way))
            moved[going] = np.where(begins[going], self._ticks - start, moved[going] + self._ticks)
        target[:], before[:] = path[:, -1], measured
        since += self._ticks
        self.now[:, lanes] = now
        return path

    def look(self, lanes: Lanes, measured: np.ndarray) -> None:
        """After an action, the fingers being `measured` (n,) apart: those that came to rest are measured."""
        now = self.now[:, lanes]
        target, goal, _, _, told, before, begun, moved = now
        # In the action with which a motion begins, the fingers may hardly have moved yet.
        rests = (moved == 0) | ((moved > self._ticks) & (np.abs(measured - before) < RESTS_M))
        told[:] = measured
        if not rests.all():
            way, walked = goal - begun, self._stride * np.maximum(moved - self._behind, 0)
            np.copyto(told, begun + np.sign(way) * np.minimum(walked, np.abs(way)), where=~rests)
        np.copyto(target, goal, where=rests)
        np.copyto(moved, 0, where=rests)
        self.now[:, lanes] = now

    def told(self, lanes: Lanes) -> np.ndarray:
        """(n,) how wide they say that they are."""
        return self.now[PARTS.index("told"), lanes]
