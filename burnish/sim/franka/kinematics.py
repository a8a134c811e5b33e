"""Where the tool is, and how joints move it, for many arms at once. Base frame, SI units."""

from __future__ import annotations

import numpy as np

from burnish.arrays import Array
from burnish.fr3 import TOOL, tool


def tool_position(joints: Array) -> Array:
    """(N, 3) the tool's centre point between the finger tips, m, of `joints` (N, 7), rad; of a tensor on its device."""
    return tool(joints)[:, :3, 3]


def jacobian(placed: np.ndarray) -> np.ndarray:
    """(N, 6, 7) from joint velocities to the tool's velocity and angular velocity, of `frames`' result."""
    axes, origins = placed[:, 1:8, :3, 2], placed[:, 1:8, :3, 3]
    arms = placed[:, TOOL, None, :3, 3] - origins
    return np.concatenate([np.cross(axes, arms), axes], axis=2).transpose(0, 2, 1)
