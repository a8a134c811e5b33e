"""The polynomial of degree 5 that joins two moments of a motion, each given by position, velocity and acceleration."""

from __future__ import annotations

import functools

import numpy as np


def least_jerk(share: np.ndarray | float) -> np.ndarray:
    """How far one is from rest to rest with the least jerk, of 0 … 1, after this `share` of the time."""
    share = np.asarray(share)
    return share**3 * (10 - 15 * share + 6 * share**2)


def joining(t: np.ndarray, span_s: float) -> np.ndarray:
    """(4, T, 6): position, velocity, acceleration and jerk at `t` (T,), s, of the motion between two moments.

    Its last axis multiplies position, velocity and acceleration at 0, then those at `span_s`: all is linear in them.
    """
    ends = _powers(np.array([0.0, span_s]))[:3].transpose(1, 0, 2).reshape(6, 6)
    return _powers(t) @ np.linalg.inv(ends)


@functools.lru_cache(256)
def parabola(before_s: float, after_s: float) -> np.ndarray:
    """(2, 3): what multiplies a place and its neighbours, so long before and after it, for velocity and acceleration
    there of the parabola through all three."""
    came, goes = np.array([-1.0, 1.0, 0.0]) / before_s, np.array([0.0, -1.0, 1.0]) / after_s
    return np.array([came * after_s + goes * before_s, 2 * (goes - came)]) / (before_s + after_s)


def going_on(t: np.ndarray) -> np.ndarray:
    """(4, T, 6) as `joining`, of the motion `t` (T,), s, after its end: on with the acceleration it has there.

    The polynomial itself leaves its limits there soon: what bends it towards its end bends it on.
    """
    at_end = _powers(t)
    at_end[:, :, 3:] = 0.0
    return np.roll(at_end, 3, axis=-1)


def _powers(t: np.ndarray) -> np.ndarray:
    """(4, T, 6): what multiplies the six coefficients for position, velocity, acceleration and jerk."""
    one, zero = np.ones_like(t), np.zeros_like(t)
    position = [one, t, t**2 / 2, t**3, t**4, t**5]
    velocity = [zero, one, t, 3 * t**2, 4 * t**3, 5 * t**4]
    acceleration = [zero, zero, one, 6 * t, 12 * t**2, 20 * t**3]
    jerk = [zero, zero, zero, 6 * one, 24 * t, 60 * t**2]
    return np.stack([np.stack(row, axis=1) for row in (position, velocity, acceleration, jerk)])
