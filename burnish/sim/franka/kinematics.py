"""Where the tool is, and how joints move it, for many arms at once. NumPy alone; base frame, SI units."""

from __future__ import annotations

import numpy as np

from burnish.fr3 import ALPHA, FLANGE_M, HAND_TURN, TOOL_M, A, D

_FIXED = np.zeros((7, 4, 4))
_FIXED[:, 0, 0], _FIXED[:, 3, 3] = 1, 1
_FIXED[:, 1, 1], _FIXED[:, 1, 2], _FIXED[:, 2, 1], _FIXED[:, 2, 2] = (
    np.cos(ALPHA), -np.sin(ALPHA), np.sin(ALPHA), np.cos(ALPHA)
)  # fmt: skip
_FIXED[:, 0, 3], _FIXED[:, 1, 3], _FIXED[:, 2, 3] = A, -np.sin(ALPHA) * D, np.cos(ALPHA) * D
_TOOL = np.eye(4)
_TOOL[:2, :2] = [[np.cos(HAND_TURN), -np.sin(HAND_TURN)], [np.sin(HAND_TURN), np.cos(HAND_TURN)]]
_TOOL[2, 3] = FLANGE_M + TOOL_M


def frames(joints: np.ndarray) -> np.ndarray:
    """(N, 8, 4, 4): the seven joints' and the tool's frames, of `joints` (N, 7), rad."""
    cos, sin = np.cos(joints), np.sin(joints)
    found = np.empty((len(joints), 8, 4, 4))
    here = np.broadcast_to(np.eye(4), (len(joints), 4, 4))
    for joint in range(7):
        here = here @ _FIXED[joint]
        x, y = here[:, :, 0].copy(), here[:, :, 1].copy()
        c, s = cos[:, joint, None], sin[:, joint, None]
        here[:, :, 0], here[:, :, 1] = x * c + y * s, y * c - x * s
        found[:, joint] = here
    found[:, 7] = here @ _TOOL
    return found


def tool_position(joints: np.ndarray) -> np.ndarray:
    """(N, 3) the tool's centre point between the finger tips, m."""
    return frames(joints)[:, 7, :3, 3]


def jacobian(placed: np.ndarray) -> np.ndarray:
    """(N, 6, 7) from joint velocities to the tool's velocity and angular velocity, of `frames`' result."""
    axes, origins = placed[:, :7, :3, 2], placed[:, :7, :3, 3]
    arms = placed[:, 7, None, :3, 3] - origins
    return np.concatenate([np.cross(axes, arms), axes], axis=2).transpose(0, 2, 1)
