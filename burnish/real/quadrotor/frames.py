"""Between the autopilot's frames and the policy's; nothing else converts.

MAVLink: the world is north, east, down (NED), the body forward, right, down (FRD). Policies here: the world is east,
north, up (ENU), the body forward, left, up (FLU), as in ROS (REP 103). Angles are roll, pitch and yaw about the
forward, left and up axes, applied yaw first (R = Rz(yaw) Ry(pitch) Rx(roll)); yaw is 0 to the east and grows to the
left.
"""

from __future__ import annotations

import math

import numpy as np

WORLD = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
BODY = np.diag([1.0, -1.0, -1.0])


def turn_world(vector: np.ndarray) -> np.ndarray:
    """(3,) NED → ENU, or back: the same exchange."""
    return np.array([vector[1], vector[0], -vector[2]])


def turn_body(vector: np.ndarray) -> np.ndarray:
    """(3,) FRD → FLU, or back: the same exchange."""
    return np.array([vector[0], -vector[1], -vector[2]])


def attitude(quaternion: np.ndarray) -> np.ndarray:
    """(3, 3) from body FLU to world ENU, of MAVLink's (4,) w, x, y, z from FRD to NED."""
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return WORLD @ turned @ BODY


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """The inverse of `attitude`; w ≥ 0. Shepperd's method: the largest component first, so that none is lost."""
    m = WORLD @ rotation @ BODY
    squares = np.array([1 + np.trace(m), *(1 + 2 * np.diag(m) - np.trace(m))]) / 4
    largest = int(np.argmax(squares))
    sums = [
        [4 * squares[0], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
        [m[2, 1] - m[1, 2], 4 * squares[1], m[1, 0] + m[0, 1], m[0, 2] + m[2, 0]],
        [m[0, 2] - m[2, 0], m[1, 0] + m[0, 1], 4 * squares[2], m[2, 1] + m[1, 2]],
        [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[2, 1] + m[1, 2], 4 * squares[3]],
    ]
    found = np.array(sums[largest]) / (4 * math.sqrt(squares[largest]))
    return -found if found[0] < 0 else found


def angles(rotation: np.ndarray) -> np.ndarray:
    """(3,) roll, pitch, yaw, rad, of a (3, 3) attitude; pitch within ±π/2."""
    roll = math.atan2(rotation[2, 1], rotation[2, 2])
    pitch = math.asin(min(1.0, max(-1.0, -rotation[2, 0])))
    return np.array([roll, pitch, math.atan2(rotation[1, 0], rotation[0, 0])])


def from_angles(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """The inverse of `angles`."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(angle), math.sin(angle)) for angle in (roll, pitch, yaw))
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def tilt(rotation: np.ndarray) -> float:
    """Angle between the body's up and the world's, rad."""
    return math.acos(min(1.0, max(-1.0, rotation[2, 2])))
