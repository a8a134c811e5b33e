"""What makes a Franka Research 3 stop by itself: the limits it checks in every cycle, and contact.

The numbers and rules are those of the manufacturer's control parameters page; `Errors` are named and ordered as in
libfranka. A simulated robot that lacked them would teach nothing about the real one.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from burnish.real.franka.limits import LIMITS

ERRORS = {
    "joint_position_limits_violation": 0,
    "joint_velocity_violation": 3,
    "joint_reflex": 6,
    "cartesian_reflex": 7,
    "joint_motion_generator_position_limits_violation": 12,
    "joint_motion_generator_velocity_limits_violation": 13,
    "joint_motion_generator_velocity_discontinuity": 14,
    "joint_motion_generator_acceleration_discontinuity": 15,
    "communication_constraints_violation": 31,
}
"""Place of each among libfranka's 41 errors."""
PERIOD_S = 1e-3
LOST_IN_A_ROW = 20
"""Cycles without a command after which the real robot aborts a motion."""
SLACK = 1.02
"""Commands arrive as rounded numbers."""


class CommandWatch:
    """Looks at the stream of commanded joint positions, one per millisecond, as the real motion generator does.

    Attributes:
        most: largest absolute velocity, acceleration and jerk seen, per joint.
        violations: how often each error was raised.
    """

    def __init__(self) -> None:
        self.most = {part: np.zeros(7) for part in ("velocity", "acceleration", "jerk")}
        self.violations: Counter[str] = Counter()
        low, high, velocity, acceleration, jerk = (
            np.array(part[:7]) for part in (LIMITS.low, LIMITS.high, LIMITS.velocity, LIMITS.acceleration, LIMITS.jerk)
        )
        self._low, self._high = low, high
        self._limit = {"velocity": velocity, "acceleration": acceleration, "jerk": jerk}

    def start(self, q: np.ndarray) -> None:
        """A motion begins at rest at `q`, rad."""
        self._before, self._answered = [q, np.zeros(7), np.zeros(7)], None
        self.silent = 0

    def lost(self) -> str | None:
        """A cycle without a command; the error it raises, if any."""
        self.silent += 1
        return self._raise("communication_constraints_violation") if self.silent > LOST_IN_A_ROW else None

    def see(self, q: np.ndarray, cycle: int) -> str | None:
        """A commanded position, rad, that answers the state of `cycle`; the error it raises, if any."""
        since = 1 if self._answered is None else cycle - self._answered
        if since < 1:
            return None
        span, self._answered, self.silent = PERIOD_S * since, cycle, 0
        position, velocity, acceleration = self._before
        found = {"velocity": (q - position) / span}
        found["acceleration"] = (found["velocity"] - velocity) / span
        found["jerk"] = (found["acceleration"] - acceleration) / span
        self._before = [q, found["velocity"], found["acceleration"]]
        passed = {}
        for part, value in found.items():
            size = np.abs(value)
            np.maximum(self.most[part], size, out=self.most[part])
            passed[part] = (size > self._limit[part] * SLACK).any()
        if not ((q >= self._low) & (q <= self._high)).all():  # NaN too
            return self._raise("joint_motion_generator_position_limits_violation")
        if passed["velocity"]:
            return self._raise("joint_motion_generator_velocity_limits_violation")
        if passed["acceleration"]:
            return self._raise("joint_motion_generator_velocity_discontinuity")
        if passed["jerk"]:
            return self._raise("joint_motion_generator_acceleration_discontinuity")
        return None

    def _raise(self, error: str) -> str:
        self.violations[error] += 1
        return error
