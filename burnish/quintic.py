"""The polynomial of degree 5 that joins two moments of a motion, each given by position, velocity and acceleration."""

from __future__ import annotations

import numpy as np


def joining(t: np.ndarray, span_s: float) -> np.ndarray:
    """(4, T, 6): position, velocity, acceleration and jerk at `t` (T,), s, of the motion between two moments.

    Its last axis multiplies position, velocity and acceleration at 0, then those at `span_s`: all is linear in them.
    """
    ends = _powers(np.array([0.0, span_s]))[:3].transpose(1, 0, 2).reshape(6, 6)
    return _powers(t) @ np.linalg.inv(ends)


def _powers(t: np.ndarray) -> np.ndarray:
    """(4, T, 6): what multiplies the six coefficients for position, velocity, acceleration and jerk."""
    one, zero = np.ones_like(t), np.zeros_like(t)
    position = [one, t, t**2 / 2, t**3, t**4, t**5]
    velocity = [zero, one, t, 3 * t**2, 4 * t**3, 5 * t**4]
    acceleration = [zero, zero, one, 6 * t, 12 * t**2, 20 * t**3]
    jerk = [zero, zero, zero, 6 * one, 24 * t, 60 * t**2]
    return np.stack([np.stack(row, axis=1) for row in (position, velocity, acceleration, jerk)])
