"""The set point between two actions, for many arms at once: what `burnish.real.motion.SmoothMotion` does for one.

A quintic meets the action at the end of its period. A robot's driver knows the actions that follow and gives it the
velocity they have there; a simulation hears of one action at a time, so here it is the velocity from the last action to
this one. Where the quintic would pass a limit, that joint pursues the action as quickly as velocity and acceleration
allow; jerk is not limited. (The driver lets all joints wait and joins a later action.)
"""

from __future__ import annotations

import numpy as np

from burnish import quintic
from burnish.fr3 import ARM_LIMITS

SHARE = 0.8
"""Of the limits of velocity and acceleration: `SafetyConfig`'s default."""
LOW, HIGH, ACCELERATION = np.array(ARM_LIMITS.low), np.array(ARM_LIMITS.high), SHARE * np.array(ARM_LIMITS.acceleration)
SLOWEST = 1e-3
"""Near the end of its range a joint may still creep, rad/s."""


class SetpointMotion:
    """Set points of the seven joints, rad.

    Attributes:
        now: (3, N, 7) position, velocity and acceleration at the end of the last period.
        last: (N, 7) the last action.
    """

    def __init__(self, lanes: int, ticks: int, tick_s: float) -> None:
        """`ticks`: of a period, `tick_s` apart."""
        self.now, self.last = np.zeros((3, lanes, 7)), np.zeros((lanes, 7))
        self._ticks, self._tick_s, self._span = ticks, tick_s, ticks * tick_s
        self._joining = quintic.joining(np.arange(1, ticks + 1) * tick_s, self._span)[:3]

    def start(self, lane: int, position: np.ndarray) -> None:
        """At rest at `position` (7,)."""
        self.now[:, lane] = position, np.zeros(7), np.zeros(7)
        self.last[lane] = position

    def follow(self, lanes: np.ndarray, action: np.ndarray) -> np.ndarray:
        """(2, ticks, n, 7) position and velocity at the end of each tick on the way to `action` (n, 7) in `lanes`."""
        now, target = self.now[:, lanes], np.minimum(np.maximum(action, LOW), HIGH)
        top = SHARE * np.maximum(np.minimum(ARM_LIMITS.speed(now[0]), ARM_LIMITS.speed(target)), SLOWEST)
        onward = np.clip((target - self.last[lanes]) / self._span, -top, top)
        samples = self._quintic(now, target, onward)
        position, velocity, acceleration = samples
        bad = (
            (np.abs(velocity).max(axis=0) > top)
            | (np.abs(acceleration).max(axis=0) > ACCELERATION)
            | (position.min(axis=0) < LOW)
            | (position.max(axis=0) > HIGH)
        )
        if bad.any():
            samples[:, :, bad] = self._pursue(now[0][bad], now[1][bad], target[bad], onward[bad], top[bad], bad)
        self.now[:, lanes], self.last[lanes] = samples[:, -1], target
        return samples[:2]

    def _quintic(self, now: np.ndarray, target: np.ndarray, onward: np.ndarray) -> np.ndarray:
        """(3, ticks, n, 7) the polynomial of degree 5 from `now` to `target` and the velocity `onward`."""
        ends = np.concatenate([now, [target, onward, np.zeros_like(target)]]).reshape(6, -1)
        return (self._joining @ ends).reshape(3, self._ticks, *target.shape)

    def _pursue(
        self,
        position: np.ndarray,
        velocity: np.ndarray,
        target: np.ndarray,
        onward: np.ndarray,
        top: np.ndarray,
        bad: np.ndarray,
    ) -> np.ndarray:
        """(3, ticks, K) of the K joints `bad`, each after a point that moves with `onward` and ends at `target`."""
        low, high, most = (np.broadcast_to(part, bad.shape)[bad] for part in (LOW, HIGH, ACCELERATION))
        found, tick = np.zeros((3, self._ticks, len(position))), self._tick_s
        change, room = most * tick, np.empty((3, len(position)))
        margin, reach, left = 1.5 * change, 2 * most, self._span - tick * np.arange(1, self._ticks + 1)
        for number, moving in enumerate(target - left[:, None] * onward):
            gap = moving - position
            np.abs(gap, out=room[0])
            np.subtract(position, low, out=room[1])
            np.subtract(high, position, out=room[2])
            # The fastest from which each way still suffices: v takes v²/2a + v·tick/2 to stop, and a tick to notice.
            fastest = np.sqrt(margin**2 + reach * np.maximum(room, 0)) - margin
            wish = onward + np.copysign(np.minimum(fastest[0], room[0] / tick), gap)
            wish = np.maximum(np.minimum(wish, np.minimum(top, fastest[2])), -np.minimum(top, fastest[1]))
            velocity = velocity + np.maximum(np.minimum(wish - velocity, change), -change)
            position = position + velocity * tick
            found[0, number], found[1, number] = position, velocity
        return found
