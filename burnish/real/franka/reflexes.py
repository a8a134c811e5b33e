"""What makes a Franka Research 3 stop by itself: the limits it checks in every cycle, and contact.

The numbers and rules are those of the manufacturer's control parameters page; `Errors` are named and ordered as in
libfranka. A simulated robot that lacked them would teach nothing about the real one.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from burnish.fr3 import ARM_LIMITS

ERRORS = {
    "joint_position_limits_violation": 0,
    "joint_velocity_violation": 3,
    "joint_reflex": 6,
    "cartesian_reflex": 7,
    "joint_motion_generator_position_limits_violation": 12,
    "joint_motion_generator_velocity_limits_violation": 13,
    "joint_motion_generator_velocity_discontinuity": 14,
    "joint_motion_generator_acceleration_discontinuity": 15,
    "communication_constraints_violation": 25,
}
"""Place of each among the 41 errors of a state message, as libfranka reads them."""
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
            np.array(part)
            for part in (ARM_LIMITS.low, ARM_LIMITS.high, ARM_LIMITS.velocity, ARM_LIMITS.acceleration, ARM_LIMITS.jerk)
        )
        self._low, self._high = low, high
        self._limit = {"velocity": velocity, "acceleration": acceleration, "jerk": jerk}

    def start(self, q: np.ndarray) -> None:
        """A motion begins at rest at `q`, rad."""
        still = np.zeros(7)
        self._before = [(0.0, q), (0.0, still), (0.0, still)]
        self._answered: int | None = None
        self.silent = 0

    def lost(self) -> str | None:
        """A cycle without a command; the error it raises, if any."""
        self.silent += 1
        return self._raise("communication_constraints_violation") if self.silent > LOST_IN_A_ROW else None

    def see(self, q: np.ndarray, cycle: int) -> str | None:
        """A commanded position, rad, that answers the state of `cycle`; the error it raises, if any."""
        self._first = cycle - 1 if self._answered is None else self._first
        if self._answered is not None and cycle <= self._answered:
            return None
        self._answered, self.silent = cycle, 0
        found = self._derive(q, (cycle - self._first) * PERIOD_S)
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

    def _derive(self, q: np.ndarray, time_s: float) -> dict[str, np.ndarray]:
        """Divided differences, each of the middle of its span, for commands may be missing in between."""
        value, moment, found, before = q, time_s, {}, []
        for part, (then, old) in zip(("velocity", "acceleration", "jerk"), self._before, strict=True):
            before.append((moment, value))
            found[part] = (value - old) / (moment - then)
            value, moment = found[part], (moment + then) / 2
        self._before = before
        return found

    def _raise(self, error: str) -> str:
        self.violations[error] += 1
        return error
