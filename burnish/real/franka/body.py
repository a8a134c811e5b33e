"""Where the parts of a Franka Research 3 are: forward kinematics and capsules.

Capsules enclose the links' collision meshes roughly; they guard against folding the arm
into itself or the floor, not against touching what lies beside it. In plain numbers: for one pose, between two
cycles of a millisecond, that takes a fifth of the time that NumPy needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from burnish.fr3 import ALPHA, FLANGE_M, HAND_TURN, TOOL_M, A, D

LINKS = (  # frame, one end, other end (m, in the frame), radius (m); frames count joints, 8 is the hand
    ("base", 0, (0, 0, 0.05), (0, 0, 0.29), 0.09),
    ("upper arm", 3, (0, 0, -0.27), (0, 0, -0.02), 0.08),
    ("forearm", 5, (0, 0.02, -0.26), (0, 0.06, -0.06), 0.07),
    ("wrist", 7, (-0.088, 0, 0), (0, 0, 0.06), 0.055),
    ("hand", 8, (0, -0.09, 0.03), (0, 0.09, 0.03), 0.035),
    ("fingers", 8, (0, 0, 0.06), (0, 0, 0.0934), 0.02),
)
PAIRS = tuple(
    (first, second) for first, second in [(0, 2), (0, 3), (0, 4), (0, 5), (1, 3), (1, 4), (1, 5), (2, 4), (2, 5)]
)
RADIUS = tuple(link[4] for link in LINKS)
ABOVE_FLOOR = (2, 3, 4)
"""The fingers may touch it: what they may do there is the workspace's matter."""


CHAIN = tuple(zip(A.tolist(), D.tolist(), np.cos(ALPHA).tolist(), np.sin(ALPHA).tolist(), strict=True))
TURN_COS, TURN_SIN = math.cos(HAND_TURN), math.sin(HAND_TURN)
Vector = tuple[float, float, float]
Frame = tuple[Vector, Vector, Vector, Vector]
"""Three axes and the origin, m, base frame."""
TIP: Vector = (0.0, 0.0, TOOL_M)
BASE: Frame = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0))


class FrankaBody:
    """The arm's shape at a setpoint (joint1 … joint7 rad, gripper width m)."""

    def __init__(self) -> None:
        self._seen = b""
        self._frames: list[Frame] = []

    def frames(self, setpoint: np.ndarray) -> list[Frame]:
        """The base, the seven joints and the hand, as the first nine of `fr3.frames`; of the last setpoint kept."""
        seen = setpoint.tobytes()
        if seen != self._seen:
            self._seen, self._frames = seen, place(setpoint[:7].tolist())
        return self._frames

    def tool(self, setpoint: np.ndarray) -> np.ndarray:
        """(3,) the tool's centre point between the finger tips, m, base frame."""
        return np.array(point(self.frames(setpoint)[8], TIP))

    def clearances(self, setpoint: np.ndarray) -> Iterator[float]:
        """Smallest distances, m: of the arm to the floor z = 0, then between links that are not neighbours."""
        placed = self.frames(setpoint)
        ends = [(point(placed[frame], start), point(placed[frame], end)) for _, frame, start, end, _ in LINKS]
        yield min(min(ends[link][0][2], ends[link][1][2]) - RADIUS[link] for link in ABOVE_FLOOR)
        for some in (PAIRS[:5], PAIRS[5:]):
            yield min(_between(*ends[i], *ends[j]) - RADIUS[i] - RADIUS[j] for i, j in some)


def place(joints: list[float]) -> list[Frame]:
    """The base, the seven joints and the hand at `joints` (7,), rad."""
    found = [BASE]
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz), (ox, oy, oz) = BASE
    for (along, up, alpha_cos, alpha_sin), angle in zip(CHAIN, joints, strict=True):  # spelt out: a third sooner done
        yx, zx = alpha_cos * yx + alpha_sin * zx, alpha_cos * zx - alpha_sin * yx
        yy, zy = alpha_cos * yy + alpha_sin * zy, alpha_cos * zy - alpha_sin * yy
        yz, zz = alpha_cos * yz + alpha_sin * zz, alpha_cos * zz - alpha_sin * yz
        ox, oy, oz = ox + along * xx + up * zx, oy + along * xy + up * zy, oz + along * xz + up * zz
        cos, sin = math.cos(angle), math.sin(angle)
        xx, yx = cos * xx + sin * yx, cos * yx - sin * xx
        xy, yy = cos * xy + sin * yy, cos * yy - sin * xy
        xz, yz = cos * xz + sin * yz, cos * yz - sin * xz
        found.append(((xx, xy, xz), (yx, yy, yz), (zx, zy, zz), (ox, oy, oz)))
    x, y, z, origin = found[-1]
    x, y = _mix(TURN_COS, x, TURN_SIN, y), _mix(-TURN_SIN, x, TURN_COS, y)
    found.append((x, y, z, point((x, y, z, origin), (0.0, 0.0, FLANGE_M))))
    return found


def tool(joints: list[float]) -> Frame:
    """The tool at `joints` (7, …), rad: the point between the finger tips, turned as the hand is."""
    x, y, z, origin = place(joints[:7])[8]
    return x, y, z, point((x, y, z, origin), TIP)


def _mix(a: float, x: Vector, b: float, y: Vector) -> Vector:
    return (a * x[0] + b * y[0], a * x[1] + b * y[1], a * x[2] + b * y[2])


def dot(x: Vector, y: Vector) -> float:
    """Product of two vectors."""
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2]


def minus(x: Vector, y: Vector) -> Vector:
    """From `y` to `x`."""
    return (x[0] - y[0], x[1] - y[1], x[2] - y[2])


def point(frame: Frame, where: Vector) -> Vector:
    """Of `frame`, m, base frame."""
    x, y, z, origin = frame
    a, b, c = where
    return (
        origin[0] + a * x[0] + b * y[0] + c * z[0],
        origin[1] + a * x[1] + b * y[1] + c * z[1],
        origin[2] + a * x[2] + b * y[2] + c * z[2],
    )


def _between(p1: Vector, q1: Vector, p2: Vector, q2: Vector) -> float:
    """Distance of the segments p1 q1 and p2 q2 (Ericson, Real-Time Collision Detection, 5.1.9)."""
    d1, d2, r = _mix(1, q1, -1, p1), _mix(1, q2, -1, p2), _mix(1, p1, -1, p2)
    a, b, c, e, f = dot(d1, d1), dot(d1, d2), dot(d1, r), dot(d2, d2), dot(d2, r)
    s = _share((b * f - c * e) / max(a * e - b * b, 1e-12))
    t = _share((b * s + f) / e)
    s = _share((b * t - c) / a)
    away = _mix(s, d1, -t, d2)
    return math.dist((0.0, 0.0, 0.0), (r[0] + away[0], r[1] + away[1], r[2] + away[2]))


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
