"""The polynomial of degree 5 that joins two moments of a motion, each given by position, velocity and acceleration."""

from __future__ import annotations

import numpy as np


def coefficients(start: np.ndarray, end: np.ndarray, span_s: float) -> np.ndarray:
    """(6, …) of the motion from `start` to `end`, (3, …) each, that lie `span_s` apart; `powers` multiplies them."""
    (p, v, a), (p1, v1, a1) = start, end
    gap = p1 - p - v * span_s - a * span_s**2 / 2
    slope, bend = v1 - v - a * span_s, a1 - a
    c3 = (20 * gap - 8 * slope * span_s + bend * span_s**2) / (2 * span_s**3)
    c4 = (-30 * gap + 14 * slope * span_s - 2 * bend * span_s**2) / (2 * span_s**4)
    c5 = (12 * gap - 6 * slope * span_s + bend * span_s**2) / (2 * span_s**5)
    return np.array([p, v, a, c3, c4, c5])


def powers(t: np.ndarray) -> np.ndarray:
    """(4, T, 6): what multiplies the six coefficients for position, velocity, acceleration and jerk at `t` (T,), s."""
    one, zero = np.ones_like(t), np.zeros_like(t)
    position = [one, t, t**2 / 2, t**3, t**4, t**5]
    velocity = [zero, one, t, 3 * t**2, 4 * t**3, 5 * t**4]
    acceleration = [zero, zero, one, 6 * t, 12 * t**2, 20 * t**3]
    jerk = [zero, zero, zero, 6 * one, 24 * t, 60 * t**2]
    return np.stack([np.stack(row, axis=1) for row in (position, velocity, acceleration, jerk)])
