"""Where the parts of a Franka Research 3 are: forward kinematics and capsules, NumPy alone.

Capsules enclose the links' collision meshes roughly; they guard against folding the arm
into itself or the floor, not against touching what lies beside it.
"""

from __future__ import annotations

import numpy as np

from burnish.fr3 import TOOL, frames

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
ABOVE_FLOOR = (2, 3, 4)
"""The fingers may touch it: what they may do there is the workspace's matter."""


class FrankaBody:
    """The arm's shape at a setpoint (joint1 … joint7 rad, gripper width m)."""

    def __init__(self) -> None:
        self._frame = np.array([link[1] for link in LINKS])
        self._ends = np.array([[(*link[2], 1.0), (*link[3], 1.0)] for link in LINKS]).transpose(0, 2, 1)
        self._radius = np.array([link[4] for link in LINKS])
        self._seen: np.ndarray | None = None
        self._frames = np.empty((10, 4, 4))
        self._first, self._second = (np.array(part) for part in zip(*PAIRS, strict=True))

    def frames(self, setpoint: np.ndarray) -> np.ndarray:
        """(10, 4, 4) as `fr3.frames`; of the last setpoint kept."""
        if self._seen is not None and np.array_equal(setpoint, self._seen):
            return self._frames
        found = frames(setpoint[:7])
        self._seen, self._frames = setpoint.copy(), found
        return found

    def tool(self, setpoint: np.ndarray) -> np.ndarray:
        """(3,) the tool's centre point between the finger tips, m, base frame."""
        return self.frames(setpoint)[TOOL, :3, 3]

    def clearance(self, setpoint: np.ndarray) -> float:
        """Smallest distance between links that are not neighbours, or of the arm to the floor z = 0, m."""
        ends = (self.frames(setpoint)[self._frame] @ self._ends)[:, :3]
        first, second = ends[self._first], ends[self._second]
        apart = _between(first[..., 0], first[..., 1], second[..., 0], second[..., 1])
        gaps = apart - self._radius[self._first] - self._radius[self._second]
        floor = ends[list(ABOVE_FLOOR), 2].min(axis=1) - self._radius[list(ABOVE_FLOOR)]
        return float(min(gaps.min(), floor.min()))


def _between(p1: np.ndarray, q1: np.ndarray, p2: np.ndarray, q2: np.ndarray) -> np.ndarray:
    """(N,) distances of the segments p1 q1 and p2 q2, (N, 3) each (Ericson, Real-Time Collision Detection, 5.1.9)."""
    d1, d2, r = q1 - p1, q2 - p2, p1 - p2
    a, e, f = (d1 * d1).sum(1), (d2 * d2).sum(1), (d2 * r).sum(1)
    b, c = (d1 * d2).sum(1), (d1 * r).sum(1)
    lean = np.maximum(a * e - b * b, 1e-12)
    s = np.clip((b * f - c * e) / lean, 0, 1)
    t = (b * s + f) / e
    over = np.clip(t, 0, 1)
    s = np.where(t != over, np.clip((b * over - c) / a, 0, 1), s)
    return np.linalg.norm(r + d1 * s[:, None] - d2 * over[:, None], axis=1)
