"""Frames without OpenGL: MuJoCo-Warp's ray tracer on the CPU, needing no display and no system package.

A simulation records one `Pose` per frame (some kilobytes); frames are traced later, a batch at a time.
The first frame of a new kind of scene compiles a kernel (some seconds), which Warp caches on disk.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from burnish.errors import BurnishError
from burnish.sim.camera import TABLE_VIEW, Camera, draw_sphere

if TYPE_CHECKING:
    import mujoco

BATCH = 16
"""Frames traced per launch: enough to hide launch overhead, few enough to keep memory small."""
BACKGROUND = (0.93, 0.94, 0.96, 1.0)
AMBIENT, DIFFUSE = 0.6, 0.7
"""Light that reaches every surface, and light added where a surface faces the camera; bright enough for dark wood."""
MARKER = "goal"
"""Spherical sites whose name contains this word are drawn: they show where the task wants something to be."""


class RenderError(BurnishError):
    """Frames cannot be made on this machine."""


@dataclass(frozen=True)
class Pose:
    """Where everything visible is in one frame: `geom_xpos` (G, 3), `geom_xmat` (G, 9), `site_xpos` (S, 3), metres."""

    geom_xpos: np.ndarray
    geom_xmat: np.ndarray
    site_xpos: np.ndarray


def pose_of(data: mujoco.MjData) -> Pose:
    """A copy of the current poses. Per-episode edits of the model (moved bodies and sites) are in them already."""
    return Pose(data.geom_xpos.copy(), data.geom_xmat.copy(), data.site_xpos.copy())


def raytrace(model: mujoco.MjModel, poses: Sequence[Pose], camera: Camera = TABLE_VIEW, size: int = 256) -> np.ndarray:
    """(T, size, size, 3) uint8 frames of `poses`. Raises `RenderError` where Warp cannot compile or run."""
    if not poses:
        return np.zeros((0, size, size, 3), np.uint8)
    worlds = min(BATCH, len(poses))
    try:
        tracer = _Tracer(model, camera, size, worlds)
        batches = [tracer.frames(poses[start : start + worlds]) for start in range(0, len(poses), worlds)]
    except (ImportError, RuntimeError, NotImplementedError, OSError) as error:
        raise RenderError(
            f"cannot render frames here: {type(error).__name__}: {error}. Videos need the package mujoco-warp and a "
            "writable kernel cache (set WARP_CACHE_PATH to a writable folder); everything else works without them"
        ) from error
    return np.concatenate(batches)


class _Tracer:
    """A Warp scene of `worlds` copies of one model, seen by one camera."""

    def __init__(self, model: mujoco.MjModel, camera: Camera, size: int, worlds: int) -> None:
        import mujoco
        import warp as wp

        # Quiet from the start: log lines, and a warning that there is no GPU, would tear the progress bar.
        wp.config.log_level = wp.LOG_ERROR
        with _without_stderr():
            wp.init()
        import mujoco_warp as mjw

        self._wp, self._mjw, self._camera, self._size, self._worlds = wp, mjw, camera, size, worlds
        self._markers = _marker_ids(model)
        scene, slot = _display_model(model, camera)
        self._model = model
        with wp.ScopedDevice("cpu"):
            data = mujoco.MjData(scene)
            mujoco.mj_forward(scene, data)
            data.cam_xpos[slot], data.cam_xmat[slot] = camera.eye, camera.rotation().ravel()
            self._scene, self._data = mjw.put_model(scene), mjw.put_data(scene, data, nworld=worlds)
            self._context = mjw.create_render_context(
                scene,
                nworld=worlds,
                cam_res=(size, size),
                render_rgb=True,
                render_depth=True,
                cam_active=[index == slot for index in range(scene.ncam)],
                use_textures=False,
                enable_backface_culling=False,
                background_color=BACKGROUND,
            )

    def frames(self, poses: Sequence[Pose]) -> np.ndarray:
        wp, size = self._wp, self._size
        padded = [*poses, *[poses[-1]] * (self._worlds - len(poses))]
        with wp.ScopedDevice("cpu"):
            self._data.geom_xpos.assign(_stack(padded, "geom_xpos", (3,)))
            self._data.geom_xmat.assign(_stack(padded, "geom_xmat", (3, 3)))
            self._mjw.refit_bvh(self._scene, self._data, self._context)
            self._mjw.render(self._scene, self._data, self._context)
            packed = self._context.rgb_data.numpy().reshape(-1, size, size)
            depth = self._context.depth_data.numpy().reshape(-1, size, size)
        rgb = np.stack([packed >> 16, packed >> 8, packed], axis=-1).astype(np.uint8)
        for frame, near, pose in zip(rgb, depth, poses, strict=False):
            for site in self._markers:
                color, radius = self._model.site_rgba[site, :3], self._model.site_size[site, 0]
                draw_sphere(frame, near, self._camera, pose.site_xpos[site], radius, color)
        return rgb[: len(poses)]


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Drop what native code writes to standard error; it does not go through `sys.stderr`."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _display_model(model: mujoco.MjModel, camera: Camera) -> tuple[Any, int]:
    """A copy to look at, not to simulate, and the camera slot to use in it."""
    import mujoco

    if model.ncam == 0:
        raise RenderError("the model has no camera; add one to its XML, any will do")
    scene = copy.copy(model)
    # Contacts are not computed, and Warp refuses some margins.
    scene.geom_contype[:] = scene.geom_conaffinity[:] = 0
    scene.geom_margin[:] = 0
    scene.geom_group[_invisible(scene)] = mujoco.mjNGROUP - 1
    # Warp 3.11 samples the textures of meshes without texture coordinates out of bounds (a crash): paint them plain.
    for material in range(scene.nmat):
        texture = scene.mat_texid[material].max()
        if texture >= 0:
            scene.mat_rgba[material, :3] *= _mean_color(scene, texture)
    scene.light_active[:] = 0
    headlight = scene.vis.headlight
    headlight.active, headlight.ambient[:], headlight.diffuse[:], headlight.specular[:] = 1, AMBIENT, DIFFUSE, 0.05
    scene.cam_fovy[0] = camera.fovy
    return scene, 0


def _invisible(model: mujoco.MjModel) -> np.ndarray:
    colors = np.where(model.geom_matid[:, None] >= 0, model.mat_rgba[model.geom_matid], model.geom_rgba)
    return colors[:, 3] == 0


def _mean_color(model: mujoco.MjModel, texture: int) -> np.ndarray:
    channels = model.tex_nchannel[texture]
    start = model.tex_adr[texture]
    pixels = model.tex_data[start : start + model.tex_height[texture] * model.tex_width[texture] * channels]
    return pixels.reshape(-1, channels)[:, :3].mean(axis=0) / 255


def _marker_ids(model: mujoco.MjModel) -> list[int]:
    import mujoco

    spheres = np.flatnonzero((model.site_type == mujoco.mjtGeom.mjGEOM_SPHERE) & (model.site_rgba[:, 3] > 0))
    return [int(site) for site in spheres if MARKER in model.site(site).name]


def _stack(poses: Sequence[Pose], part: str, shape: tuple[int, ...]) -> np.ndarray:
    values = np.stack([getattr(pose, part) for pose in poses])
    return values.reshape(*values.shape[:2], *shape).astype(np.float32)
