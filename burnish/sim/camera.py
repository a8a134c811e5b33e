"""A pinhole camera, and spheres drawn by hand into the frames it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mujoco

SHADE = 0.6
"""Brightness of a drawn sphere at its rim; 1 in its middle."""
SMALLEST_PX = 1.5
"""Radius a drawn sphere has at least, so that a distant marker can still be seen."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in the world frame: `eye` looks at `target` (metres), z up; `fovy` degrees high."""

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    fovy: float = 45.0

    @staticmethod
    def of(model: mujoco.MjModel, name: str) -> Camera:
        """A camera of `model` that stands still."""
        import mujoco

        own, rotation = model.camera(name), np.zeros(9)
        mujoco.mju_quat2Mat(rotation, own.quat)
        x, y, z = own.pos
        ahead_x, ahead_y, ahead_z = own.pos - rotation.reshape(3, 3)[:, 2]
        eye, target = (float(x), float(y), float(z)), (float(ahead_x), float(ahead_y), float(ahead_z))
        return Camera(eye, target, float(own.fovy[0]))

    def rotation(self) -> np.ndarray:
        """(3, 3), columns right, up, backward: MuJoCo's `cam_xmat`."""
        back = np.subtract(self.eye, self.target)
        back = back / np.linalg.norm(back)
        right = np.cross((0.0, 0.0, 1.0), back)
        right = right / np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back], axis=1)


TABLE_VIEW = Camera(eye=(0.65, -0.15, 0.75), target=(0.0, 0.68, 0.1), fovy=45.0)
"""Over Meta-World's table from the front right: gripper, object and goal stay in view."""


def draw_sphere(
    frame: np.ndarray, depth: np.ndarray, camera: Camera, center: np.ndarray, radius: float, color: np.ndarray
) -> None:
    """Paint a shaded sphere into `frame` (size, size, 3) where it is nearer than `depth` (0: nothing hit)."""
    size = frame.shape[0]
    x, y, z = (center - np.asarray(camera.eye)) @ camera.rotation() * (1, 1, -1)
    focal = size / 2 / np.tan(np.radians(camera.fovy) / 2)
    column, row = np.meshgrid(np.arange(size) + 0.5 - size / 2, size / 2 - np.arange(size) - 0.5)
    across = ((column * z / focal - x) ** 2 + (row * z / focal - y) ** 2) / max(radius, SMALLEST_PX * z / focal) ** 2
    bulge = np.sqrt(np.clip(1 - across, 0, None))
    shown = (across < 1) & ((depth <= 0) | (depth > z - radius * bulge)) & (z > 0)
    frame[shown] = (255 * color * (SHADE + (1 - SHADE) * bulge[shown, None])).astype(np.uint8)
