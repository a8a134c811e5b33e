"""Where the cameras of the Franka world are. NumPy alone; base frame, SI units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from burnish.contract import IMAGES
from burnish.fr3 import HAND, frames
from burnish.sim.camera import Camera
from burnish.sim.randomize import Sight

FRONT = Camera(eye=(1.1, -0.45, 0.6), target=(0.42, 0.0, 0.12), fovy=45.0)
"""In front of the table, as an observer's: the arm from the wrist on and all that a task needs."""
WRIST_EYE, WRIST_LOOK, WRIST_FOVY = np.array([0.07, 0.0, 0.02]), np.array([-0.35, 0.0, 1.0]), 70.0
"""On the hand, in its frame: where, m, which way, and degrees."""
CAMERAS = {f"{IMAGES}front": FRONT.fovy, f"{IMAGES}wrist": WRIST_FOVY}
"""Contract key to field of view."""
LOW, HIGH = (0.2, -0.4, 0.004), (0.75, 0.4, 0.6)
"""What of a cloud is kept, m: the space over the table."""


def views(joints: np.ndarray, sights: Sequence[Sight]) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2, 3) m, where both cameras are, and (T, 2, 3, 3), columns right, up, backward, of `joints` (T, 7)."""
    hand = frames(joints)[:, HAND]
    back = -WRIST_LOOK / np.linalg.norm(WRIST_LOOK)
    right = np.array([0.0, 1.0, 0.0])
    mounted = np.stack([right, np.cross(back, right), back], axis=1)
    shift = np.array([sight.camera for sight in sights])
    wrist = np.einsum("tij,tj->ti", hand[:, :3, :3], WRIST_EYE + 0.2 * shift) + hand[:, :3, 3]
    front = FRONT.eye + shift
    aimed = [Camera(tuple(eye), FRONT.target).rotation() for eye in front]
    return np.stack([front, wrist], axis=1), np.stack([np.array(aimed), hand[:, :3, :3] @ mounted], axis=1)
