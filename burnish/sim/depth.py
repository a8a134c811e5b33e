"""Depth by MuJoCo's ray caster: no OpenGL, no driver, and the same on every machine. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from burnish.points import FARTHEST_M
from burnish.sim.camera import Camera
from burnish.sim.lanes import Arrays


class DepthCamera:
    """`size` × `size` rays into a model."""

    def __init__(self, model: mujoco.MjModel, camera: Camera | str, size: int, *, hide: Sequence[int] = ()) -> None:
        """
        Args:
            camera: one that stands still, or the name of one of the model's own, which may move.
            hide: groups of geoms that rays pass through.
        """
        self.model, self.size, self._camera = model, size, camera
        self._number = model.camera(camera).id if isinstance(camera, str) else None
        fovy = model.cam_fovy[self._number] if isinstance(camera, str) else camera.fovy
        self.focal_px = size / 2 / np.tan(np.radians(fovy) / 2)
        side = np.arange(size) + 0.5 - size / 2
        right, up = np.meshgrid(side / self.focal_px, -side / self.focal_px)
        rays = np.stack([right, up, -np.ones_like(right)], axis=-1).reshape(-1, 3)
        self._lengths = np.linalg.norm(rays, axis=1)
        self._rays = rays / self._lengths[:, None]
        self._groups = np.ones(mujoco.mjNGROUP, np.uint8)
        self._groups[list(hide)] = 0
        self._geoms, self._distances = np.zeros(size * size, np.int32), np.zeros(size * size)

    def pose(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """Where the camera is (3,), m, and which way it looks (3, 3): columns right, up, backward."""
        if isinstance(self._camera, Camera):
            return np.array(self._camera.eye, np.float64), self._camera.rotation()
        return data.cam_xpos[self._number], data.cam_xmat[self._number].reshape(3, 3)

    def look(self, data: mujoco.MjData) -> np.ndarray:
        """(size, size) m along the optical axis, the highest row first; 0 where nothing is hit.

        Of `data` only the poses of geoms and of the camera and the middles of bodies are read.
        """
        eye, rotation = self.pose(data)
        mujoco.mj_multiRay(
            self.model,
            data,
            eye,
            np.ascontiguousarray(self._rays @ rotation.T).ravel(),
            self._groups,
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
