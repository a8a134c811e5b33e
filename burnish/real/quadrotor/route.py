"""Where a policy is told to be: a place, or a lying eight. Its clock begins with the first question."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from burnish.quadrotor import Path

WIDTH_M, DEPTH_M, PERIOD_S, EASE_S = 1.0, 0.5, 8.0, 3.0
"""Half of the eight's length and width, once around it, and how long it takes to get going."""


class Route:
    """`observation.environment_state` (6,): place m and velocity m/s, world ENU."""

    def __init__(self, path: Path, height_m: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._height, self._clock = path, height_m, clock
        self._began: float | None = None

    def __call__(self) -> np.ndarray:
        """Now."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        return self.at(now - self._began)

    def at(self, seconds: float) -> np.ndarray:
        """So long after it began. The eight begins at its middle, at rest."""
        if self._path == "hover":
            return np.array([0, 0, self._height, 0, 0, 0], np.float32)
        speed = 2 * math.pi / PERIOD_S
        share = min(1.0, seconds / EASE_S)
        angle = speed * (0.5 * seconds * share if share < 1 else seconds - EASE_S / 2)
        rate = speed * share
        x, y = WIDTH_M * math.sin(angle), DEPTH_M * math.sin(2 * angle)
        vx, vy = WIDTH_M * math.cos(angle) * rate, 2 * DEPTH_M * math.cos(2 * angle) * rate
        return np.array([x, y, self._height, vx, vy, 0], np.float32)
