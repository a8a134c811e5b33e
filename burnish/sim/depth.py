"""Depth by MuJoCo's ray caster: no OpenGL, no driver, and the same on every machine. Imports no torch."""

from __future__ import annotations

import mujoco
import numpy as np

from burnish.sim.camera import Camera
from burnish.sim.lanes import Arrays

FARTHEST_M = 10.0


class DepthCamera:
    """`size` × `size` rays of `camera` into a model."""

    def __init__(self, model: mujoco.MjModel, camera: Camera, size: int) -> None:
        self.model, self.camera, self.size = model, camera, size
        self.focal_px = size / 2 / np.tan(np.radians(camera.fovy) / 2)
        side = np.arange(size) + 0.5 - size / 2
        right, up = np.meshgrid(side / self.focal_px, -side / self.focal_px)
        rays = np.stack([right, up, -np.ones_like(right)], axis=-1).reshape(-1, 3)
        self._lengths = np.linalg.norm(rays, axis=1)
        self._rays = np.ascontiguousarray(rays / self._lengths[:, None] @ camera.rotation().T).ravel()
        self._eye = np.array(camera.eye, np.float64)
        self._geoms, self._distances = np.zeros(size * size, np.int32), np.zeros(size * size)

    def look(self, data: mujoco.MjData) -> np.ndarray:
        """(size, size) m along the optical axis, the highest row first; 0 where nothing is hit.

        Of `data` only the poses of geoms and the middles of bodies are read.
        """
        mujoco.mj_multiRay(
            self.model,
            data,
            self._eye,
            self._rays,
            None,
            1,
            -1,
            self._geoms,
            self._distances,
            None,
            self.size**2,
            FARTHEST_M,
        )
        return np.where(self._geoms < 0, 0.0, self._distances / self._lengths).reshape(self.size, self.size)


def put(data: mujoco.MjData, pose: Arrays) -> None:
    """Where everything is at the `pose` of a lane, into `data`."""
    for name in ("geom_xpos", "geom_xmat", "xipos"):
        getattr(data, name)[:] = pose[name]
