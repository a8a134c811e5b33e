"""A human takes over from the policy, drives in small bounded steps, and hands back to a plan made afterwards."""

from __future__ import annotations

import numpy as np

from burnish.limits import Limits
from burnish.real.joystick import Wish

LEASH_S = 0.2
"""The target is never further ahead of the robot than its speed covers in this time: it does not run away from an arm
that is held back."""
OLD_S = 0.5
"""A set point that is older says nothing about where the robot is."""
PLAN_S = 2.0
"""A fresh plan that takes longer is worth a word."""


class Intervention:
    """Who drives.

    From the takeover until the policy's first plan that was made of an observation *after* the release, the human's
    target counts: before that the policy's chunk is of a world that is gone.

    Attributes:
        active: whether the human's target counts.
        fault: what the operator should know; "" while all is well.
    """

    def __init__(self, limits: Limits, part: float) -> None:
        """`part`: of the largest speed of each entry, at full deflection."""
        self._low, self._high = np.array(limits.low), np.array(limits.high)
        self._speed = part * np.array(limits.velocity)
        self._setpoint, self._setpoint_s = np.zeros(0), -np.inf
        self._target, self._before_s = np.zeros(0), 0.0
        self._observed, self._planned, self._released = -1, -1, (-1, 0.0)
        self.active, self._driving, self.fault = False, False, ""

    def commanded(self, setpoint: np.ndarray, now_s: float) -> None:
        """Where the robot was told to be, (A,)."""
        self._setpoint, self._setpoint_s = setpoint, now_s

    def observed(self, slot: int) -> None:
        """The robot's step that its latest observation is of."""
        self._observed = slot

    def planned(self, slot: int) -> None:
        """The step from which the policy's latest chunk is."""
        self._planned = slot

    def tick(self, wish: Wish, now_s: float) -> np.ndarray | None:
        """(A,) the human's target, or None while the policy drives."""
        elapsed_s, self._before_s = min(now_s - self._before_s, LEASH_S), now_s
        self.fault = wish.fault
        if wish.held:
            self._drive(wish.axes, now_s, elapsed_s)
        elif self.active:
            self._hand_back(now_s)
        return self._target if self.active else None

    def _drive(self, axes: np.ndarray, now_s: float, elapsed_s: float) -> None:
        if now_s - self._setpoint_s > OLD_S:
            self.fault = f"the robot has not said for {OLD_S:g} s where it is; nobody can take over"
            self.active = self._driving = False
            return
        if not self.active:
            self.active, self._target = True, self._setpoint.copy()
        self._driving = True
        wanted = self._target + axes * self._speed * elapsed_s
        leash = self._speed * LEASH_S
        wanted = wanted.clip(self._setpoint - leash, self._setpoint + leash)
        self._target = wanted.clip(self._low, self._high)

    def _hand_back(self, now_s: float) -> None:
        if self._driving:
            self._driving, self._released = False, (self._observed, now_s)
        slot, since_s = self._released
        if self._planned < 0 or self._planned > slot:  # without a policy there is nobody to wait for
            self.active = False
        elif now_s - since_s > PLAN_S:
            self.fault = f"no plan of the policy since the release, {now_s - since_s:.0f} s ago; the robot is held"
