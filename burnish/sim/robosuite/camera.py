"""What robosuite's two standard cameras see, upright, and videos by the ray tracer, which needs no OpenGL."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache

import mujoco
import numpy as np

from burnish.contract import IMAGES
from burnish.sim.camera import Camera
from burnish.sim.lanes import Arrays
from burnish.sim.opengl import Renderer
from burnish.sim.raytrace import pose_of, raytrace
from burnish.sim.robosuite.scene import COLLISION_GROUP, KEPT, scene

CAMERAS = {f"{IMAGES}{name}": name for name in ("agentview", "robot0_eye_in_hand")}
"""Contract key → robosuite's name."""


class Cameras:
    """Both cameras of a task, `size` pixels per side."""

    def __init__(self, task: str, size: int) -> None:
        self._scene = scene(task, True)
        self._renderer = Renderer(self._scene.model, size, hide=[COLLISION_GROUP])
        self._data = mujoco.MjData(self._scene.model)
        self._rows = np.zeros((size, size, 3), np.uint8)

    def look(self, pose: Arrays, out: Arrays) -> None:
        """Write what both cameras see at `pose` (see `RobosuiteLane.pose`) into `out`."""
        model, data = self._scene.model, self._data
        self._scene.place((pose["body_pos"], pose["body_quat"]))
        data.qpos[:] = pose["qpos"]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        for key, name in CAMERAS.items():
            self._renderer.draw(data, model.camera(name).id, self._rows)
            out[key][:] = self._rows[::-1]


@lru_cache(KEPT)
def cameras(task: str, size: int) -> Cameras:
    """The cameras of `task`; the last `KEPT` of a process are kept."""
    return Cameras(task, size)


def film(task: str, poses: Sequence[Arrays], size: int) -> np.ndarray:
    """(T, size, size, 3) uint8 frames of `RobosuiteLane.pose`s, seen by robosuite's "agentview"."""
    here = scene(task, True)
    data, traced = mujoco.MjData(here.model), []
    for pose in poses:
        here.place((pose["body_pos"], pose["body_quat"]))
        data.qpos[:] = pose["qpos"]
        mujoco.mj_kinematics(here.model, data)
        traced.append(pose_of(data))
    return raytrace(_visible(task), traced, Camera.of(here.model, "agentview"), size)


def _visible(task: str) -> mujoco.MjModel:
    """A copy, dropped after use: it has the scene's textures."""
    model = copy.copy(scene(task, True).model)
    hidden = model.geom_group == COLLISION_GROUP
    model.geom_matid[hidden], model.geom_rgba[hidden, 3] = -1, 0.0
    return model
