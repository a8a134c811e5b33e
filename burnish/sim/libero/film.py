"""Videos of LIBERO episodes, by the ray tracer, which needs no OpenGL. What a policy sees is rendered by OpenGL."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import groupby

import mujoco
import numpy as np

from burnish.sim.camera import Camera
from burnish.sim.lanes import Arrays
from burnish.sim.libero.scene import COLLISION_GROUP, scene
from burnish.sim.libero.suites import LiberoTask
from burnish.sim.raytrace import pose_of, raytrace


def film(members: Sequence[LiberoTask], poses: Sequence[Arrays], size: int) -> np.ndarray:
    """(T, size, size, 3) uint8 frames of `LiberoLane.pose`s of tasks `members`, seen by LIBERO's "agentview"."""
    frames = [np.zeros((0, size, size, 3), np.uint8)]
    for number, group in groupby(poses, key=lambda pose: int(pose["numbers"][0])):
        here = scene(members[number], looks=True)
        data, traced = mujoco.MjData(here.model), []
        for pose in group:
            here.place(int(pose["numbers"][1]))
            data.qpos[:] = pose["qpos"]
            mujoco.mj_kinematics(here.model, data)
            traced.append(pose_of(data))
        frames.append(raytrace(_visible(members[number]), traced, Camera.of(here.model, "agentview"), size))
    return np.concatenate(frames)


def _visible(task: LiberoTask) -> mujoco.MjModel:
    """A copy, dropped after use: it has the scene's textures, and there may be many tasks."""
    model = copy.copy(scene(task, looks=True).model)
    hidden = model.geom_group == COLLISION_GROUP
    model.geom_matid[hidden], model.geom_rgba[hidden, 3] = -1, 0.0
    return model
