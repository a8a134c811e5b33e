"""Frames without OpenGL: MuJoCo-Warp's ray tracer on the CPU, needing no display and no system package.

A simulation records one `Pose` per frame (some kilobytes); frames are traced later, a batch at a time.
The first frame of a new kind of scene compiles a kernel (some seconds), which Warp caches on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from burnish.sim.camera import TABLE_VIEW, Camera, draw_sphere
from burnish.sim.tracer import Pose as Pose
from burnish.sim.tracer import RenderError as RenderError
from burnish.sim.tracer import Tracer, named_failures
from burnish.sim.tracer import pose_of as pose_of

if TYPE_CHECKING:
    import mujoco

BATCH = 16
"""Frames traced per launch: enough to hide launch overhead, few enough to keep memory small."""
MARKER = "goal"
"""Spherical sites whose name contains this word are drawn: they show where the task wants something to be."""


def raytrace(model: mujoco.MjModel, poses: Sequence[Pose], camera: Camera = TABLE_VIEW, size: int = 256) -> np.ndarray:
    """(T, size, size, 3) uint8 frames of `poses`. Raises `RenderError` where Warp cannot compile or run."""
    if not poses:
        return np.zeros((0, size, size, 3), np.uint8)
    worlds = min(BATCH, len(poses))
    with named_failures():
        tracer = Tracer(model, [camera.fovy], size, worlds)
        parts = [poses[first : first + worlds] for first in range(0, len(poses), worlds)]
        return np.concatenate([_frames(tracer, model, part, camera) for part in parts])


def _frames(tracer: Tracer, model: mujoco.MjModel, poses: Sequence[Pose], camera: Camera) -> np.ndarray:
    eyes = np.tile(np.array(camera.eye), (len(poses), 1, 1))
    rgb, depth = tracer.trace(poses, eyes, np.tile(camera.rotation(), (len(poses), 1, 1, 1)))
    for frame, near, pose in zip(rgb[:, 0], depth[:, 0], poses, strict=True):
        for site in _marker_ids(model):
            color, radius = model.site_rgba[site, :3], model.site_size[site, 0]
            draw_sphere(frame, near, camera, pose.site_xpos[site], radius, color)
    return rgb[:, 0]


def _marker_ids(model: mujoco.MjModel) -> list[int]:
    import mujoco

    spheres = np.flatnonzero((model.site_type == mujoco.mjtGeom.mjGEOM_SPHERE) & (model.site_rgba[:, 3] > 0))
    return [int(site) for site in spheres if MARKER in model.site(site).name]
