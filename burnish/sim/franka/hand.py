"""The hand as the robot's driver has it (`burnish.real.franka.hand`), for many at once.

A wish counts once it has stood for a moment, a motion that began is finished before the next one, and how wide the
fingers are is told only while they rest.
"""

from __future__ import annotations

import numpy as np

SPEED_MPS = 0.1
"""`burnish.real.franka.hand.SPEED`; what follows is there too."""
CHANGE_M = 0.004
SETTLED_S = 0.02
RESTS_M = 2e-4
"""Fingers that moved less than this in one action have come to rest, whether they are there or something is between."""
PARTS = ("target", "goal", "coming", "since", "told", "before", "busy")


class Hands:
    """Openings, m.

    Attributes:
        now: (7, N) `PARTS`: what the fingers are driven to, where the motion ends, what was wished last, for how many
            ticks, what is told, how wide they were before the last action, and 1 while they move.
    """

    def __init__(self, lanes: int, ticks: int, tick_s: float) -> None:
        """`ticks`: of an action, `tick_s` apart."""
        self.now = np.zeros((len(PARTS), lanes))
        self._ticks, self._stride, self._settled = ticks, SPEED_MPS * tick_s, round(SETTLED_S / tick_s)

    def start(self, lane: int, width: float) -> None:
        """At rest, and wished to be, `width` apart."""
        self.now[:, lane] = width, width, width, self._settled, width, width, 0

    def follow(self, lanes: np.ndarray, wish: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """(n, ticks) what the fingers are driven to in each tick: `wish` (n,) is commanded, they are `measured` (n,)
        apart."""
        target, goal, coming, since, told, _, busy = self.now[:, lanes]
        fresh = np.abs(wish - coming) > CHANGE_M / 4
        coming, since = np.where(fresh, wish, coming), np.where(fresh, 0, since)
        first = np.maximum(self._settled - since, 0)
        begins = (busy == 0) & (np.abs(coming - goal) > CHANGE_M) & (first < self._ticks)
        target, goal = np.where(begins, measured, target), np.where(begins, coming, goal)
        busy = np.maximum(busy, begins)
        walked = self._stride * np.clip(np.arange(1, self._ticks + 1) - np.where(begins, first, 0)[:, None], 0, None)
        way = (goal - target)[:, None]
        path = target[:, None] + np.sign(way) * np.minimum(walked * (busy[:, None] > 0), np.abs(way))
        self.now[:, lanes] = path[:, -1], goal, coming, since + self._ticks, told, measured, busy + (busy > 0)
        return path

    def look(self, lanes: np.ndarray, measured: np.ndarray) -> None:
        """After an action, the fingers being `measured` (n,) apart: those that came to rest tell it."""
        target, goal, _, _, told, before, busy = self.now[:, lanes]
        # In the action with which a motion begins, the fingers may hardly have moved yet.
        rests = (busy == 0) | ((busy > 2) & (np.abs(measured - before) < RESTS_M))
        told = np.where(rests, measured, told)
        parts = [PARTS.index(name) for name in ("target", "told", "busy")]
        self.now[np.ix_(parts, lanes)] = np.where(rests, goal, target), told, np.where(rests, 0, busy)

    def told(self, lanes: np.ndarray) -> np.ndarray:
        """(n,) how wide they say that they are."""
        return self.now[PARTS.index("told"), lanes]
