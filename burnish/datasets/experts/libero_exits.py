"""Ways out from under something: how far to the side a thing must go before it can be lifted, or set down."""

from __future__ import annotations

import numpy as np

from burnish.datasets.experts.libero_grid import CELL_M, Grid

DIRECTIONS = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], axis=1)
FARTHEST_M, STEP_M = 0.16, 0.01
CLEAR_M = 0.006
"""The thing is raised so much while it moves to the side."""
SPARE_M = 0.015
"""Beyond what is needed: a thing hangs askew in the hand."""
SCRAPE = 0.02
"""Share of a thing's points that may touch something: the cells are coarse."""


def way_out(grid: Grid, cloud: np.ndarray) -> np.ndarray | None:
    """(2,) m: the shortest way to the side after which nothing is over the thing; zero if nothing is, None if none is.

    `cloud` (P, 3): the thing's points in the world; `grid`: everything solid but the thing.
    """
    raised = cloud + np.array([0.0, 0.0, CLEAR_M])
    if _open(grid, raised):
        return np.zeros(2)
    free = np.ones(len(DIRECTIONS), bool)
    for distance in np.arange(STEP_M, FARTHEST_M, STEP_M):
        for index in np.flatnonzero(free):
            moved = raised + np.array([*(distance * DIRECTIONS[index]), 0.0])
            if grid.hits(moved).mean() > SCRAPE:
                free[index] = False
            elif _open(grid, moved):
                return (distance + SPARE_M) * DIRECTIONS[index]
    return None


def _open(grid: Grid, cloud: np.ndarray) -> bool:
    """Whether nothing stands over `cloud` (P, 3)."""
    return float((grid.tops(cloud) > cloud[:, 2] + CELL_M).mean()) <= SCRAPE
