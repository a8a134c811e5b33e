"""N copies of a task's physics model in MuJoCo-Warp, on a GPU or a CPU: one graph for all ticks of an action."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import mujoco
import numpy as np
import torch
from torch import Tensor

from burnish.errors import BurnishError
from burnish.sim.franka.model import physics_model, set_fixture
from burnish.sim.franka.randomize import applied
from burnish.sim.franka.task import Task
from burnish.sim.randomize import Draw
from burnish.sim.tracer import start_warp

CONTACTS, ROWS = 48, 192
"""Of one world at most, and rows of its constraints: more than a hand around any of the objects makes."""
DRAWN, PLACED = ("body_mass", "body_inertia", "geom_friction", "actuator_biasprm"), ("geom_xpos", "geom_xmat")
"""Of the model, what `randomize.applied` changes; of the data, where the fixture's parts are: MuJoCo-Warp never moves
them."""


class Physics:
    """Tensors share the simulator's memory; to write into them is to change the worlds.

    Attributes:
        qpos: (N, nq) float32.
        qvel: (N, nv) float32.
        plan: (ticks, N, nu) float32, `ctrl` of every tick of the next action.
        own: of every field in `DRAWN` and `PLACED` a row per world; nothing if all worlds are alike.
    """

    def __init__(self, task: Task, worlds: int, ticks: int, device: str, *, alike: bool) -> None:
        """Raises `BurnishError` where Warp cannot compile or run."""
        self._wp, self._device = start_warp(), device
        try:
            with self._wp.ScopedDevice(device):
                self._load(task, worlds, ticks, alike=alike)
        except (ImportError, RuntimeError, NotImplementedError, OSError) as error:
            raise BurnishError(
                f"franka/{task.name}: MuJoCo-Warp does not run on {device}: {type(error).__name__}: {error}; it needs "
                "a writable kernel cache (WARP_CACHE_PATH). Without backend='warp' it runs on CPU threads"
            ) from error

    def step(self) -> None:
        """Follow `plan`. Contacts are solved anew from the first tick on: nothing is left of the action before."""
        if self._graph is None:
            self._ticks()
        elif self._device == "cpu":
            self._wp.capture_launch(self._graph)
        else:  # in the order of torch's own work
            stream = self._wp.stream_from_torch(torch.cuda.current_stream(self._device))
            self._wp.capture_launch(self._graph, stream=stream)

    def _load(self, task: Task, worlds: int, ticks: int, *, alike: bool) -> None:
        import mujoco_warp as mjw

        wp, model = self._wp, copy.copy(physics_model(task))
        # What the model switches off, MuJoCo-Warp does not have; without this, boxes would meet otherwise than there.
        model.opt.disableflags = mujoco.mjtDisableBit.mjDSBL_NATIVECCD
        start = mujoco.MjData(model)
        mujoco.mj_forward(model, start)
        self._model = mjw.put_model(model)
        self._data = mjw.put_data(model, start, nworld=worlds, nconmax=CONTACTS, njmax=ROWS)
        self._plan = wp.zeros((ticks, worlds, model.nu), dtype=float)
        self.own: dict[str, Tensor] = {}
        for name in () if alike else DRAWN:
            field = getattr(self._model, name)
            rows = wp.array(field.numpy().repeat(worlds, axis=0), dtype=field.dtype)
            setattr(self._model, name, rows)
            self.own[name] = wp.to_torch(rows)
        self.own |= {} if alike else {name: wp.to_torch(getattr(self._data, name)) for name in PLACED}
        self.qpos, self.qvel, self.plan = (wp.to_torch(part) for part in (self._data.qpos, self._data.qvel, self._plan))
        self._advance = partial(mjw.step, self._model, self._data)
        self._advance()  # compiles what a graph cannot
        self._graph: Any = None
        if wp.get_device().is_cpu or _can_capture(wp):
            with _without_collections(), wp.ScopedCapture() as capture:
                self._ticks()
            self._graph = capture.graph

    def _ticks(self) -> None:
        self._data.qacc_warmstart.zero_()
        for tick in range(self._plan.shape[0]):
            self._wp.copy(self._data.ctrl, self._plan[tick])
            self._advance()


def own(task: Task, draw: Draw, target: np.ndarray) -> dict[str, np.ndarray]:
    """A world's row of `Physics.own`, in an episode with this `draw` and `target`."""
    model = applied(draw, physics_model(task))
    set_fixture(model, task, target)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    placed = {"geom_xpos": data.geom_xpos, "geom_xmat": data.geom_xmat.reshape(-1, 3, 3)}
    return {name: getattr(model, name) for name in DRAWN} | placed


def _can_capture(wp: Any) -> bool:
    """Whether the solver's loop, which ends when all worlds are done, can be part of a graph on this GPU."""
    driver: Any = wp.get_cuda_driver_version()
    return driver is not None and driver >= (12, 4) and wp.is_mempool_enabled(wp.get_device())


@contextmanager
def _without_collections() -> Iterator[None]:
    """What Python frees while a graph is captured would be freed again whenever it runs."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
