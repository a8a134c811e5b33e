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
from burnish.sim.lanes import Lanes

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

    def follow(self, lanes: Lanes, action: np.ndarray) -> np.ndarray:
        """(2, ticks, n, 7) position and velocity at the end of each tick on the way to `action` (n, 7) in `lanes`."""
        ends, shape = np.zeros((6, *action.shape)), (3, *action.shape)
        ends[:3], target = self.now[:, lanes], np.minimum(np.maximum(action, LOW), HIGH)
        ends[3] = target
        top = SHARE * np.maximum(ARM_LIMITS.speed(ends[::3]).min(axis=0), SLOWEST)
        onward = np.minimum(np.maximum((target - self.last[lanes]) / self._span, -top), top)
        ends[4] = onward
        samples = self._quintic(ends)
        low, high = np.empty(shape), np.empty(shape)
        low[0], low[1], low[2], high[0], high[1], high[2] = LOW, -top, -ACCELERATION, HIGH, top, ACCELERATION
        bad = ((samples.min(axis=1) < low) | (samples.max(axis=1) > high)).any(axis=0)
        if bad.any():
            self._pursue(samples, np.flatnonzero(bad), ends, top)
        self.now[:, lanes], self.last[lanes] = samples[:, -1], target
        return samples[:2]

    def _quintic(self, ends: np.ndarray) -> np.ndarray:
        """(3, ticks, n, 7) the polynomial of degree 5 between two `ends` (6, n, 7), as `quintic.joining` has them."""
        return (self._joining @ ends.reshape(6, -1)).reshape(3, self._ticks, *ends.shape[1:])

    def _pursue(self, samples: np.ndarray, bad: np.ndarray, ends: np.ndarray, top: np.ndarray) -> None:
        """Replace the `samples` of the K joints `bad` of all n * 7: each goes after a point that moves `onward` and
        ends at its target. Many small arrays, tick after tick: what counts here is how often NumPy is called."""
        position, velocity, _, target, onward, _ = ends.reshape(6, -1)[:, bad]
        joint, top, tick = bad % 7, top.reshape(-1)[bad], np.array(self._tick_s)
        low, high, change = LOW[joint], HIGH[joint], ACCELERATION[joint] * self._tick_s
        margin, reach, slower = 1.5 * change, 2 * ACCELERATION[joint], -change
        squared, bottom, above = margin**2, -top, top

        def fastest(room: np.ndarray, out: np.ndarray) -> np.ndarray:
            """From which `room` suffices: v takes v²/2a + v·tick/2 to stop, and a tick to notice."""
            np.multiply(reach, room, out=out)
            np.add(squared, out, out=out)
            np.sqrt(out, out=out)
            return np.subtract(out, margin, out=out)

        # From where no end of the range can matter before the period is over, none is looked at.
        enough = ((top + margin) ** 2 - squared) / reach + self._span * np.maximum(np.abs(velocity), top)
        ending = (np.minimum(position - low, high - position) < 1.001 * enough).any()
        left = self._span - self._tick_s * np.arange(1, self._ticks + 1)
        found = np.zeros((3, self._ticks, len(bad)))
        (gap, away, wish), walls = np.empty((3, len(bad))), np.empty((2, len(bad)))
        for moving, place, speed in zip(target - left[:, None] * onward, found[0], found[1], strict=True):
            np.subtract(moving, position, out=gap)
            np.abs(gap, out=away)
            np.divide(away, tick, out=wish)
            np.minimum(fastest(away, away), wish, out=wish)
            np.copysign(wish, gap, out=wish)
            np.add(onward, wish, out=wish)
            if ending:
                np.subtract(position, low, out=walls[0])
                np.subtract(high, position, out=walls[1])
                fastest(np.maximum(walls, 0, out=walls), walls)
                np.minimum(top, walls, out=walls)
                bottom, above = np.negative(walls[0], out=walls[0]), walls[1]
            np.minimum(wish, above, out=wish)
            np.maximum(wish, bottom, out=wish)
            np.subtract(wish, velocity, out=wish)
            np.minimum(wish, change, out=wish)
            np.maximum(wish, slower, out=wish)
            velocity = np.add(velocity, wish, out=speed)
            np.multiply(velocity, tick, out=wish)
            position = np.add(position, wish, out=place)
        samples.reshape(3, self._ticks, -1)[:, :, bad] = found
