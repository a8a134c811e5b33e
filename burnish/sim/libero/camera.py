"""LIBERO's two cameras, pixel by pixel as LIBERO's `OffScreenRenderEnv` renders them, turned by 180°, and where the
patches of their images lie.

Robosuite hands out images with the lowest row first. The public datasets (lerobot/libero, openpi's, RLinf's) turn them
by 180°: what was upside down stands upright, but left and right are exchanged. So do we.
"""

from __future__ import annotations

from functools import lru_cache

import mujoco
import numpy as np

from burnish.contract import IMAGES, PLACES
from burnish.points import places
from burnish.sim.depth import DepthCamera
from burnish.sim.lanes import Arrays
from burnish.sim.libero.scene import COLLISION_GROUP, KEPT, scene
from burnish.sim.libero.suites import LiberoTask
from burnish.sim.opengl import Renderer

CAMERAS = {f"{IMAGES}image": "agentview", f"{IMAGES}image2": "robot0_eye_in_hand"}
"""Contract key, as in the public dataset lerobot/libero, to LIBERO's name of the camera."""
PATCHES = 16
"""Per side of an image, where it is told where they lie."""


class Cameras:
    """Both cameras of a task, `size` pixels per side."""

    def __init__(self, task: LiberoTask, size: int) -> None:
        self._scene = scene(task, looks=True)
        model = self._scene.model
        self._renderer = Renderer(model, size, hide=[COLLISION_GROUP])
        self._data = mujoco.MjData(model)
        self._numbers = {key: model.camera(name).id for key, name in CAMERAS.items()}
        self._rows = np.zeros((size, size, 3), np.uint8)
        names = [CAMERAS[key] for key in sorted(CAMERAS)]
        self._depths = [DepthCamera(model, name, PATCHES, hide=[COLLISION_GROUP]) for name in names]

    def look(self, pose: Arrays, out: Arrays) -> None:
        """Write what both cameras see at `pose` (see `LiberoLane.pose`) into `out`: contract key → (size, size, 3),
        and where its patches lie, if `out` has room for places.
        """
        here, data = self._scene, self._data
        here.place(int(pose["numbers"][1]))
        data.qpos[:] = pose["before"]
        here.show(data)
        data.qpos[:] = pose["qpos"]
        mujoco.mj_kinematics(here.model, data)
        mujoco.mj_camlight(here.model, data)
        for key, number in self._numbers.items():
            self._renderer.draw(data, number, self._rows)
            out[key][:] = self._rows[::-1, ::-1]
        if PLACES in out:
            for depth, where in zip(self._depths, out[PLACES], strict=True):
                # The highest row is first already, but left and right are exchanged.
                where[:] = places(depth.look(data), depth.focal_px, *depth.pose(data))[:, ::-1]


@lru_cache(KEPT)
def cameras(task: LiberoTask, size: int) -> Cameras:
    """The cameras of `task`; the last `KEPT` of a process are kept: 1 to 2 s and 0.4 GB of textures each."""
    return Cameras(task, size)
