"""MuJoCo-Warp's ray tracer: many copies of one scene, seen by several cameras, in one launch. On the CPU, or a GPU."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from burnish.errors import BurnishError

if TYPE_CHECKING:
    import mujoco

BACKGROUND = (0.93, 0.94, 0.96, 1.0)
AMBIENT, DIFFUSE = 0.6, 0.7
"""Light that reaches every surface, and light added where a surface faces the camera; bright enough for dark wood."""


def start_warp() -> Any:
    """Warp, quiet from the start: log lines, and a warning that there is no GPU, would tear a progress bar."""
    import warp

    warp.config.log_level = warp.LOG_ERROR
    with _without_stderr():
        warp.init()
    return warp


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


@contextmanager
def named_failures() -> Iterator[None]:
    """Raises `RenderError` where Warp cannot compile or run."""
    try:
        yield
    except (ImportError, RuntimeError, NotImplementedError, OSError) as error:
        raise RenderError(
            f"cannot render frames here: {type(error).__name__}: {error}. Videos need the package mujoco-warp and a "
            "writable kernel cache (set WARP_CACHE_PATH to a writable folder); everything else works without them"
        ) from error


class Tracer:
    """`worlds` copies of one model, each seen by cameras of `fovys`, degrees, anywhere in every frame."""

    def __init__(
        self, model: mujoco.MjModel, fovys: Sequence[float], size: int, worlds: int, device: str = "cpu"
    ) -> None:
        import mujoco

        wp = start_warp()
        import mujoco_warp as mjw

        self._wp, self._size, self._worlds, self.cameras = wp, size, worlds, len(fovys)
        self._device = device
        scene = _display_model(model, fovys)
        self.colors = scene.geom_rgba.copy()
        """(G, 4) of geoms without a material."""
        with wp.ScopedDevice(self._device):
            data = mujoco.MjData(scene)
            mujoco.mj_forward(scene, data)
            self._scene, self._data = mjw.put_model(scene), mjw.put_data(scene, data, nworld=worlds)
            self._scene.geom_rgba = wp.array(np.repeat(self.colors[None], worlds, axis=0), dtype=wp.vec4)
            self._context = mjw.create_render_context(
                scene,
                nworld=worlds,
                cam_res=(size, size),
                render_rgb=True,
                render_depth=True,
                cam_active=[index < len(fovys) for index in range(scene.ncam)],
                use_textures=False,
                enable_backface_culling=False,
                background_color=BACKGROUND,
            )
            # MuJoCo-Warp makes its kernel anew whenever it is asked, which takes longer than some frames: ask once.
            self._draw()
            with wp.ScopedCapture() as capture:
                self._draw()
            self._graph = capture.graph

    def trace(
        self, poses: Sequence[Pose], eyes: np.ndarray, rotations: np.ndarray, colors: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Frames (T, C, size, size, 3) uint8, and depth (T, C, size, size), m along the optical axis, 0 for nothing.

        Args:
            poses: T, at most `worlds`.
            eyes: (T, C, 3) m, where the cameras are.
            rotations: (T, C, 3, 3), columns right, up, backward.
            colors: (T, G, 4) instead of the model's own.
        """
        frames, rest, size = len(poses), self._worlds - len(poses), self._size
        data, slots = self._data, self._data.cam_xpos.shape[1]
        with self._wp.ScopedDevice(self._device):
            data.geom_xpos.assign(_filled(np.stack([pose.geom_xpos for pose in poses]), rest))
            turns = np.stack([pose.geom_xmat for pose in poses])
            data.geom_xmat.assign(_filled(turns.reshape(*turns.shape[:2], 3, 3), rest))
            idle = slots - self.cameras
            data.cam_xpos.assign(_filled(np.pad(eyes, ((0, 0), (0, idle), (0, 0))), rest))
            data.cam_xmat.assign(_filled(np.pad(rotations, ((0, 0), (0, idle), (0, 0), (0, 0))), rest))
            if colors is not None:
                self._scene.geom_rgba.assign(_filled(colors, rest))
            self._wp.capture_launch(self._graph)
            packed = self._context.rgb_data.numpy()[:frames].reshape(frames, self.cameras, size, size)
            depth = self._context.depth_data.numpy()[:frames].reshape(frames, self.cameras, size, size)
        rgb = np.empty((*packed.shape, 3), np.uint8)
        for channel, shift in enumerate((16, 8, 0)):
            rgb[..., channel] = packed >> shift
        return rgb, depth.copy()

    def _draw(self) -> None:
        import mujoco_warp as mjw

        mjw.refit_bvh(self._scene, self._data, self._context)
        mjw.render(self._scene, self._data, self._context)


def _filled(values: np.ndarray, rest: int) -> np.ndarray:
    """Float32, the last one repeated `rest` times."""
    return np.concatenate([values, np.repeat(values[-1:], rest, axis=0)]).astype(np.float32)


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


def _display_model(model: mujoco.MjModel, fovys: Sequence[float]) -> Any:
    """A copy to look at, not to simulate, through its first cameras."""
    import mujoco

    if model.ncam < len(fovys):
        raise RenderError(f"the model has {model.ncam} cameras, {len(fovys)} are asked for; add some to its XML")
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
    scene.cam_fovy[: len(fovys)] = fovys
    return scene


def _invisible(model: mujoco.MjModel) -> np.ndarray:
    colors = model.geom_rgba
    if model.nmat:
        colors = np.where(model.geom_matid[:, None] >= 0, model.mat_rgba[model.geom_matid], colors)
    return colors[:, 3] == 0


def _mean_color(model: mujoco.MjModel, texture: int) -> np.ndarray:
    channels = model.tex_nchannel[texture]
    start = model.tex_adr[texture]
    pixels = model.tex_data[start : start + model.tex_height[texture] * model.tex_width[texture] * channels]
    return pixels.reshape(-1, channels)[:, :3].mean(axis=0) / 255
