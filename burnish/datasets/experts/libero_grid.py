"""Solid space as a grid of cells: what a hand or an object would hit, and how high things stand."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.ndimage import maximum_filter

CELL_M = 0.005
LOW = np.array([-0.75, -0.65])
"""Corner of the grid over the table, m; it reaches from there over `EXTENT`."""
EXTENT = np.array([1.25, 1.3])
HEIGHT_M = 0.75
"""Of the grid over the table or floor."""


class Grid:
    """Occupied cells of 5 mm. What lies outside the grid counts as free."""

    def __init__(self, points: np.ndarray, floor: float) -> None:
        """`points` (P, 3) on the surfaces of everything solid, closer together than a cell; a table at `floor`, m."""
        self.floor = floor
        self.low = np.array([*LOW, floor - 2 * CELL_M])
        self.shape = tuple(np.ceil(np.array([*EXTENT, HEIGHT_M]) / CELL_M).astype(int))
        self._strides = np.array([self.shape[1] * self.shape[2], self.shape[2], 1])
        self._filled = np.zeros(self.shape, bool)
        self._filled[:, :, :2] = True
        cells, known = self._cells(points)
        self.points = points[known]
        self._filled[tuple(cells[known].T)] = True

    def hits(self, points: np.ndarray) -> np.ndarray:
        """(…,) bool: which of `points` (…, 3) are in occupied cells."""
        cells, known = self._cells(points)
        return self._filled.ravel()[np.where(known, cells @ self._strides, 0)] & known

    @cached_property
    def heights(self) -> np.ndarray:
        """(X, Y) m: the top of what stands in each column."""
        return self.heights_below(np.inf)

    def heights_below(self, limit: float) -> np.ndarray:
        """(X, Y) m: the top in each column of what is lower than `limit`."""
        found = np.full(self.shape[:2], self.floor)
        points = self.points[self.points[:, 2] < limit]
        np.maximum.at(found, self.columns(points), points[:, 2])
        return found

    def tops(self, points: np.ndarray) -> np.ndarray:
        """(…,) m: `heights` of the columns that `points` (…, 3) stand in."""
        return self.heights[self.columns(points)]

    def columns(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The columns that `points` (…, 2 or 3) stand in; those outside are moved to the edge."""
        cells = np.floor((points[..., :2] - LOW) / CELL_M).astype(int)
        cells = np.clip(cells, 0, np.array(self.shape[:2]) - 1)
        return cells[..., 0], cells[..., 1]

    def _cells(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells = np.floor((points - self.low) / CELL_M).astype(int)
        return cells, np.asarray(((cells >= 0) & (cells < np.array(self.shape))).all(axis=-1))


def spread(heights: np.ndarray, around: np.ndarray) -> np.ndarray:
    """(X, Y) m: the highest point within `around` (2,) m of each column along x and y."""
    return maximum_filter(heights, size=tuple(2 * np.ceil(around / CELL_M).astype(int) + 1), mode="nearest")
