"""What a LowState says: the numbers a policy reads, and what is wrong with the robot."""

from __future__ import annotations

import math

import numpy as np

from burnish.unitree import Model

L2_B = 0x0220
"""Both keys in bytes 2 and 3 of `wireless_remote` (little-endian). Bits from the lowest on: R1 L1 start select R2 L2 F1
F2 A B X Y up right down left; bytes 4 to 24 hold the sticks lx rx ry L2 ly as floats. Unitree's own controllers damp
the robot at L2+B (`unitree_rl_lab`, deploy/robots/*/include/FSMState.h)."""
SILENT = 0x40000000
"""G1, `motorstate`: the motor misses commands. True of every motor before somebody commands it."""
MOTOR_BITS = (
    "overcurrent", "transient overvoltage", "overvoltage", "undervoltage", "chip too hot", "MOSFET too hot or cold",
    "MOSFET sensor", "shell too hot or cold", "shell sensor", "winding too hot", "rotor encoder 1", "rotor encoder 2",
    "output encoder", "calibration data", "reset", "locked", "chip check", "calibration mode", "communication",
    "driver version",
)  # fmt: skip
"""G1, `motorstate`, from the lowest bit on: Unitree, G1 developer documentation, "Common errors and definitions"."""


class Senses:
    """Of one robot model."""

    def __init__(self, model: Model) -> None:
        self._model, self._size = model, len(model.joints)

    def values(self, record: np.ndarray) -> np.ndarray:
        """(6 + 2A,) float32: gravity (unit vector, body frame), angular velocity, joint positions, velocities.

        Gravity is what the IMU's quaternion (w, x, y, z) makes of (0, 0, −1).
        """
        motors = record["motor_state"][: self._size]
        imu = record["imu_state"]
        return np.concatenate([gravity(imu["quaternion"]), imu["gyroscope"], motors["q"], motors["dq"]])

    def fault(self, record: np.ndarray, *, commanded: bool) -> str:
        """What the robot reports; "" while it is well.

        Args:
            commanded: whether the motors have had time to obey, so that one that does not is a fault.
        """
        if int.from_bytes(record["wireless_remote"][2:4].tobytes(), "little") & L2_B == L2_B:
            return "operator stop (L2+B)"
        return self._motor_fault(record, commanded) or self._heat(record) or self._fall(record)

    def _motor_fault(self, record: np.ndarray, commanded: bool) -> str:
        motors = record["motor_state"][: self._size]
        if "motorstate" in (motors.dtype.names or ()):
            state = motors["motorstate"] if commanded else motors["motorstate"] & ~np.uint32(SILENT)
            if not state.any():
                return ""
            which = int(np.argmax(state != 0))
            known = [name for bit, name in enumerate(MOTOR_BITS) if int(state[which]) >> bit & 1]
            said = ", ".join(known) or ("misses commands" if int(state[which]) & SILENT else "unknown")
            return f"motor {self._model.joints[which]} reports {int(state[which]):#x} ({said})"
        stopped = motors["mode"] != 1  # Go2: 1 is field-oriented control, 0 a motor that has stopped
        if not commanded or not stopped.any():
            return ""
        which = int(np.argmax(stopped))
        return f"motor {self._model.joints[which]} has left its control mode ({int(motors['mode'][which]):#x})"

    def _heat(self, record: np.ndarray) -> str:
        heat = record["motor_state"][: self._size]["temperature"].reshape(self._size, -1).max(axis=1)
        which = int(np.argmax(heat))
        if heat[which] <= self._model.hot:
            return ""
        return f"motor {self._model.joints[which]} is at {int(heat[which])} °C, at most {self._model.hot:g}"

    def _fall(self, record: np.ndarray) -> str:
        angle = tilt(gravity(record["imu_state"]["quaternion"]))
        return "" if angle <= self._model.tilt else f"fallen: tilted by {angle:.2f} rad, at most {self._model.tilt:g}"


def gravity(quaternion: np.ndarray) -> np.ndarray:
    """(3,) the direction of gravity in the body's frame; `quaternion`: w, x, y, z of the body in the world."""
    w, x, y, z = quaternion
    return np.array([2 * (w * y - x * z), -2 * (w * x + y * z), 2 * (x * x + y * y) - 1], np.float32)


def tilt(direction: np.ndarray) -> float:
    """rad between `direction`, as `gravity` gives it, and the body's −z."""
    return math.acos(float(np.clip(-direction[2], -1, 1)))
