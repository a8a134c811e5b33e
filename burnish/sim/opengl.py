"""Frames by MuJoCo's own OpenGL renderer: what policies see, pixel by pixel as the public benchmarks render it.

Needs a driver: EGL (also in software, without a display) or OSMesa. Imports no torch.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import weakref
from collections.abc import Sequence
from functools import cache
from typing import Any

import mujoco
import numpy as np

from burnish.errors import BurnishError

PACKAGES = "libegl1 libegl-mesa0 libgl1-mesa-dri"
"""Debian's and Ubuntu's packages for rendering in software."""
MAX_GEOMS = 1000


class OpenGLError(BurnishError):
    """This machine cannot render through OpenGL."""


class Renderer:
    """Square frames of one model. All renderers of a process share one OpenGL context; each has its own textures."""

    def __init__(self, model: mujoco.MjModel, size: int, *, hide: Sequence[int] = ()) -> None:
        """`size`: pixels per side. `hide`: groups of geoms that are not drawn. Raises `OpenGLError`."""
        self.model = model
        context().make_current()
        model.vis.global_.offwidth = model.vis.global_.offheight = size
        try:
            self._textures = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150)
        except mujoco.FatalError as error:
            raise _missing(error) from error
        weakref.finalize(self, _free, self._textures).atexit = False  # the context is gone by then
        self._scene, self._camera = mujoco.MjvScene(model, MAX_GEOMS), mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._options, self._nothing = mujoco.MjvOption(), mujoco.MjvPerturb()
        self._options.geomgroup[list(hide)] = 0
        self._viewport = mujoco.MjrRect(0, 0, size, size)

    def draw(self, data: mujoco.MjData, camera: int, out: np.ndarray) -> None:
        """Write what `camera` sees into `out` (size, size, 3) uint8, the lowest row first, as OpenGL has it.

        Of `data` only the places of geoms, sites, cameras and lights are read.
        """
        context().make_current()
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._textures)
        self._camera.fixedcamid = camera
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self.model, data, self._options, self._nothing, self._camera, everything, self._scene)
        mujoco.mjr_render(self._viewport, self._scene, self._textures)
        mujoco.mjr_readPixels(out, None, self._viewport, self._textures)


@cache
def context() -> Any:
    """This process's OpenGL context. MUJOCO_GL chooses the driver; on Linux it is EGL. Raises `OpenGLError`."""
    driver = os.environ.get("MUJOCO_GL", "").lower() or ("egl" if sys.platform == "linux" else "")
    modules = {"egl": "mujoco.egl", "osmesa": "mujoco.osmesa"}
    try:
        made = importlib.import_module(modules.get(driver, "mujoco.gl_context")).GLContext(64, 64)
        made.make_current()
    except Exception as error:  # PyOpenGL fails in many ways where a library is missing
        raise _missing(error) from error
    atexit.register(_close, made)
    return made


def _close(made: Any) -> None:
    try:
        made.free()
    except Exception:  # another library has unloaded the driver before: nothing is left to free
        made._context = None


def _missing(error: Exception) -> OpenGLError:
    return OpenGLError(
        f"images cannot be rendered: no working OpenGL ({type(error).__name__}: {error}). On Debian or Ubuntu: "
        f"`apt-get install {PACKAGES}`, or `apt-get install libosmesa6` and MUJOCO_GL=osmesa. "
        "State observations need none of it: record without `--images`, and `burnish train … --state` makes a policy "
        "that reads no images"
    )


def _free(textures: mujoco.MjrContext) -> None:
    context().make_current()
    textures.free()
