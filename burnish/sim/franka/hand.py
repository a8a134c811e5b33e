"""The hand as the robot's driver has it (`burnish.real.franka.hand`), for many at once.

A wish counts once it has stood for a moment, a motion that began is finished before the next one, and the fingers are
measured only at rest: meanwhile they are believed to be where nothing in between would have stopped them.
"""

from __future__ import annotations

import numpy as np

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
        self._ticks, self._stride = ticks, SPEED_MPS * tick_s
        self._settled, self._behind = round(SETTLED_S / tick_s), round(BEHIND_S / tick_s)

    def start(self, lane: int, width: float) -> None:
        """At rest, and wished to be, `width` apart."""
        self.now[:, lane] = width, width, width, self._settled, width, width, width, 0

    def follow(self, lanes: np.ndarray, wish: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """(n, ticks) what the fingers are driven to in each tick: `wish` (n,) is commanded, they are `measured` (n,)
        apart."""
        target, goal, coming, since, told, _, begun, moved = self.now[:, lanes]
        fresh = np.abs(wish - coming) > CHANGE_M / 4
        coming, since = np.where(fresh, wish, coming), np.where(fresh, 0, since)
        first = np.maximum(self._settled - since, 0)
        begins = (moved == 0) & (np.abs(coming - goal) > CHANGE_M) & (first < self._ticks)
        target, begun, goal = (
            np.where(begins, new, old) for new, old in ((measured, target), (measured, begun), (coming, goal))
        )
        ahead = np.arange(1, self._ticks + 1) - np.where(begins, first, 0)[:, None]
        walked = self._stride * np.maximum(ahead, 0) * (begins | (moved > 0))[:, None]
        way = (goal - target)[:, None]
        path = target[:, None] + np.sign(way) * np.minimum(walked, np.abs(way))
        moved = np.where(begins, self._ticks - first, moved + self._ticks * (moved > 0))
        self.now[:, lanes] = path[:, -1], goal, coming, since + self._ticks, told, measured, begun, moved
        return path

    def look(self, lanes: np.ndarray, measured: np.ndarray) -> None:
        """After an action, the fingers being `measured` (n,) apart: those that came to rest are measured."""
        target, goal, _, _, _, before, begun, moved = self.now[:, lanes]
        # In the action with which a motion begins, the fingers may hardly have moved yet.
        rests = (moved == 0) | ((moved > self._ticks) & (np.abs(measured - before) < RESTS_M))
        walked = self._stride * np.maximum(moved - self._behind, 0)
        believed = begun + np.sign(goal - begun) * np.minimum(walked, np.abs(goal - begun))
        told, target, moved = (
            np.where(rests, measured, believed),
            np.where(rests, goal, target),
            np.where(rests, 0, moved),
        )
        for name, part in (("target", target), ("told", told), ("moved", moved)):
            self.now[PARTS.index(name), lanes] = part

    def told(self, lanes: np.ndarray) -> np.ndarray:
        """(n,) how wide they say that they are."""
        return self.now[PARTS.index("told"), lanes]
