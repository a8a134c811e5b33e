"""What a walking policy is told besides its own state: how fast to go, and a clock that says which feet are due.

A clock makes a gait quick to learn and the same everywhere (Siekmann et al., arXiv 2011.01387). Asked for no motion it
stands still: both numbers of the clock are 0 then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

VELOCITY = ("velocity_x", "velocity_y", "yaw_rate")
"""Forward, to the left, to the left about the vertical."""
CLOCK = ("clock_sin", "clock_cos")
UNITS = {"velocity_x": "m/s", "velocity_y": "m/s", "yaw_rate": "rad/s", "clock_sin": "1", "clock_cos": "1"}
NAMES = tuple(UNITS)


def told(velocity: np.ndarray, seconds: np.ndarray, steps_hz: float) -> np.ndarray:
    """(…, 5) `NAMES`, of a `velocity` (…, 3) asked for and the time (…) since the clock began; each leg goes
    `steps_hz` steps per s."""
    angle = 2 * math.pi * steps_hz * seconds
    moves = np.any(velocity != 0, axis=-1)
    clock = np.stack([np.sin(angle) * moves, np.cos(angle) * moves], axis=-1)
    return np.concatenate([velocity, clock], axis=-1).astype(np.float32)


class Gait:
    """`observation.environment_state` (5,) of a robot that is to walk. Its clock begins with the first question."""

    def __init__(
        self, velocity: tuple[float, float, float], steps_hz: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._velocity, self._steps_hz, self._clock = np.array(velocity, float), steps_hz, clock
        self._began: float | None = None

    def __call__(self) -> np.ndarray:
        """Now."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        return told(self._velocity, np.array(now - self._began), self._steps_hz)
