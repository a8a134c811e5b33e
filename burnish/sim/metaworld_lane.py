"""One Meta-World environment as a lane: an episode is a pure function of its seed, and steps are quick.

Imports no torch, so that worker processes start fast.
"""

from __future__ import annotations

import mujoco
import numpy as np
from gymnasium.utils import seeding
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from burnish.contract import STATE
from burnish.sim.lanes import Arrays

MAX_STEP_M = 0.01
"""Largest commanded displacement per step; Meta-World's `action_scale`."""
_SCALE = np.array([1 / MAX_STEP_M] * 3 + [1.0])
_OBJECT = tuple(f"object{i}_{part}" for i in (1, 2) for part in ("x", "y", "z", "qa", "qb", "qc", "qd"))
_FRAME = ("hand_x", "hand_y", "hand_z", "gripper_opening", *_OBJECT)
_FRAME_UNITS = ("m", "m", "m", "1") + ("m", "m", "m", "1", "1", "1", "1") * 2
STATE_NAMES = (*_FRAME, *(f"previous_{name}" for name in _FRAME), "goal_x", "goal_y", "goal_z")
STATE_UNITS = (*_FRAME_UNITS, *_FRAME_UNITS, "m", "m", "m")


def task_names() -> list[str]:
    """The 50 tasks, without Meta-World's "-v3"."""
    return sorted(name.removesuffix("-v3") for name in ALL_V3_ENVIRONMENTS)


class MetaWorldLane:
    """One environment of `task` ("peg-insert-side")."""

    def __init__(self, task: str) -> None:
        self._env = make_metaworld(task)
        self.model, self.data = self._env.model, self._env.data
        self._pristine = _Pristine(self._env)
        self._seed = 0
        self._obs = np.zeros(39)

    def reset(self, seed: int) -> None:
        """Meta-World's own reset of a freshly made environment with `seed`."""
        env = self._env
        self._pristine.restore(env)
        self._seed = seed
        env.np_random = seeding.np_random(seed)[0]
        self._obs = env.reset()[0]

    def step(self, action: np.ndarray) -> bool:
        """Apply (dx, dy, dz) metres and grip effort."""
        self._env.curr_path_length = 0
        self._obs, _, _, _, info = self._env.step(normalized(action))
        return bool(info["success"])

    def observe(self, out: Arrays) -> None:
        """Meta-World's 39 numbers, goal included."""
        out[STATE][:] = self._obs

    def state(self) -> Arrays:
        """The episode's seed, MuJoCo's integration state and the frame of the last step."""
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        physics = np.zeros(mujoco.mj_stateSize(self.model, kind))
        mujoco.mj_getState(self.model, self.data, physics, kind)
        return {"seed": np.array(self._seed), "physics": physics, "obs": self._obs.copy()}

    def restore(self, state: Arrays) -> None:
        """Replay the reset (it places bodies and goals), then put the physics back."""
        self.reset(int(state["seed"]))
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        physics = np.ascontiguousarray(state["physics"])
        mujoco.mj_setState(self.model, self.data, physics, kind)
        mujoco.mj_forward(self.model, self.data)
        # Once more: mj_forward has used up the solver's warm start.
        mujoco.mj_setState(self.model, self.data, physics, kind)
        self._obs = state["obs"].copy()
        self._env._prev_obs = self._obs[:18].copy()

    def pose(self) -> Arrays:
        """World poses of geoms and sites."""
        data = self.data
        return {name: getattr(data, name).copy() for name in ("geom_xpos", "geom_xmat", "site_xpos")}


def normalized(action: np.ndarray) -> np.ndarray:
    """Physical action (4,) to Meta-World's [-1, 1]; it clips what lies outside."""
    return action * _SCALE


def make_metaworld(task: str):
    """Meta-World's own environment of `task`: goal visible, start and goal drawn from `np_random` at every reset."""
    env = ALL_V3_ENVIRONMENTS[f"{task}-v3"]()
    # The public way to set these is `set_task`, which unpickles a task and freezes the start.
    env._partially_observable = False
    env._freeze_rand_vec = False
    env._set_task_called = True
    env.seeded_rand_vec = True
    # It was cached while the goal was hidden; Meta-World clips observations to it.
    env.__dict__.pop("sawyer_observation_space", None)
    return env


class _Pristine:
    """A fresh environment's memory: what one episode leaves behind must not reach the next."""

    MODEL = ("body_pos", "body_quat", "site_pos", "site_quat", "geom_pos", "geom_quat", "geom_rgba", "eq_data", "qpos0")

    def __init__(self, env) -> None:
        self._data = mujoco.MjData(env.model)
        mujoco.mj_copyData(self._data, env.model, env.data)
        self._model = {name: getattr(env.model, name).copy() for name in self.MODEL}
        self._attributes = {name: _copied(value) for name, value in env.__dict__.items()}

    def restore(self, env) -> None:
        for name, value in self._model.items():
            getattr(env.model, name)[...] = value
        mujoco.mj_copyData(env.data, env.model, self._data)
        env.__dict__.clear()
        env.__dict__.update({name: _copied(value) for name, value in self._attributes.items()})


def _copied(value):
    """Arrays are copied, except views into MuJoCo's memory: those must stay alive."""
    if not isinstance(value, np.ndarray):
        return value
    base = value
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return value.copy() if isinstance(base, np.ndarray) else value
