"""The simulated motor board: what the motors do with LowCmd, and what they count."""

from __future__ import annotations

from collections import Counter

import numpy as np

from burnish.real.unitree.body import Body
from burnish.real.unitree.wire import Message
from burnish.unitree import Model

COLD = 35
"""°C of a motor that is well."""


class Board:
    """Motors of one robot: their own PD controllers, with torque limits and a timeout.

    Attributes:
        commands, bad_crc: LowCmd that were obeyed, and that were ignored.
        timeouts: how often commands stayed away, so that it damped itself.
        damped_s: when it was last damped, on the robot's clock; None while it is not, or before the first command.
        damped_by: "command", "timeout", or "".
        most_velocity, most_torque: largest so far, (A,).
        violations: cycles in which a limit was passed, by name.
        motorstate: (A,) what each motor reports, 0 while it is well.
        heat: (A,) °C.
    """

    def __init__(self, model: Model, timeout_s: float) -> None:
        size = len(model.joints)
        self._model, self._timeout_s, self._size = model, timeout_s, size
        self._low, self._high = np.array(model.limits.low), np.array(model.limits.high)
        self._top, self._strength = np.array(model.limits.velocity), np.array(model.limits.torque)
        self._target, self._kp, self._kd = np.zeros(size), np.zeros(size), np.array(model.damping)
        self.commands, self.bad_crc, self.timeouts = 0, 0, 0
        self.last_s: float | None = None
        self.damped_s: float | None = None
        self.damped_by = ""
        self.most_velocity, self.most_torque = np.zeros(size), np.zeros(size)
        self.violations: Counter[str] = Counter()
        self.motorstate, self.heat = np.zeros(size, np.uint32), np.full(size, COLD)
        self.torque = np.zeros(size)

    @property
    def alive(self) -> bool:
        """Whether commands come."""
        return self.last_s is not None and self.damped_by != "timeout"

    def obey(self, message: Message, now_s: float) -> None:
        """Take a LowCmd, unless its CRC is wrong."""
        if not message.signed():
            self.bad_crc += 1
            return
        motors = message.record["motor_cmd"][: self._size]
        self.commands, self.last_s = self.commands + 1, now_s
        self._target, self._kp, self._kd = (motors[part].astype(float) for part in ("q", "kp", "kd"))
        self._kp[motors["mode"] != 1] = 0.0
        if ((self._target < self._low) | (self._target > self._high))[self._kp > 0].any():
            self.violations["target"] += 1
        self._is_damped("" if self._kp.any() else "command", now_s)

    def watch(self, now_s: float) -> None:
        """Damp the robot if commands stay away."""
        if self.alive and self.last_s is not None and now_s - self.last_s > self._timeout_s:
            self.timeouts += 1
            self._kp, self._kd = np.zeros(self._size), np.array(self._model.damping)
            self._is_damped("timeout", now_s)

    def drive(self, body: Body, steps: int) -> None:
        """Move `body` by so many steps of its physics."""
        works = self.motorstate == 0
        for _ in range(steps):
            wish = works * (self._kp * (self._target - body.q) - self._kd * body.dq)
            self.torque = body.step(wish)
            self.most_torque = np.maximum(self.most_torque, np.abs(self.torque))
            self.most_velocity = np.maximum(self.most_velocity, np.abs(body.dq))
            self.violations["torque"] += int((np.abs(wish) > self._strength).any())
        self.violations["velocity"] += int((np.abs(body.dq) > self._top).any())
        slack = 0.05  # rad: joint limits in MuJoCo give way a little
        self.violations["position"] += int(((body.q < self._low - slack) | (body.q > self._high + slack)).any())

    def mend(self) -> None:
        """Every motor is well again."""
        self.motorstate[:], self.heat[:] = 0, COLD

    def _is_damped(self, by: str, now_s: float) -> None:
        if by != self.damped_by:
            self.damped_s = (self.damped_s if self.damped_by else now_s) if by else None
            self.damped_by = by
