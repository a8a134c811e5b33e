"""The vector environment `mjlab/TASK`: mjlab's own environment, one batch on a GPU or a CPU.

`observation.state` is mjlab's "actor" group, noise included, `observation.environment_state` its "critic" group, what
only a simulator knows. Actions are mjlab's: shares of a scale around the default pose; larger ones than 1 are passed
on. Its curricula are off: an episode does not depend on how many there were before. Its own reward is the dense one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, override

import numpy as np
import torch
from torch import Tensor

from burnish.contract import ENVIRONMENT_STATE, IMAGES, STATE, Contract, Field
from burnish.sim.about import known_task
from burnish.sim.base import Obs
from burnish.sim.batched import Batch, BatchEnv
from burnish.sim.camera import Camera
from burnish.sim.libero.quiet import quiet
from burnish.sim.mjlab.about import ABOUT, MOTION
from burnish.sim.mjlab.tasks import TASKS
from burnish.sim.mjlab.uncertain import DRAWN, Uncertainty
from burnish.sim.randomize import Randomization, uncertain
from burnish.sim.rows import Rows
from burnish.sim.tracer import start_warp

GROUPS = {"actor": STATE, "critic": ENVIRONMENT_STATE}
"""mjlab's group of observations → contract key; the terms of other groups are images."""
UNITS = {"cart_pos": "m", "cart_vel": "m/s", "ee_to_cube": "m", "cube_to_goal": "m", "base_lin_vel": "m/s"}
UNITS |= {"joint_pos": "rad", "joint_vel": "rad/s", "pole_vel": "rad/s", "base_ang_vel": "rad/s", "height_scan": "m"}
"""Of mjlab's terms; what is not listed has none, or mixed ones."""
VIEW = Camera(eye=(1.6, -1.6, 1.2), target=(0.2, 0.0, 0.4))


class MjlabBatch(Batch):
    """N worlds of one of mjlab's tasks."""

    def __init__(self, task: str, randomize: Mapping[str, float], num_envs: int, horizon: int, device: str) -> None:
        with quiet():
            self._env = make(task, num_envs, horizon, device)
            self._uncertain = Uncertainty(self._env, Randomization.of(randomize))
        self.num_envs, self.device = num_envs, torch.device(device)
        self._verdict = TASKS[task](num_envs, device)
        self.contract = contract(self._env)
        self.begin(torch.arange(num_envs, device=self.device), [0] * num_envs)

    @override
    def begin(self, lanes: Tensor, seeds: Sequence[int]) -> None:
        self._verdict.begin(lanes)
        self._uncertain.begin(lanes, seeds)
        self._env.reset(env_ids=lanes)

    @override
    def step(self, action: Tensor) -> None:
        self._reward = self._env.step(action)[1]
        self._uncertain.step()
        self._env._manual_reset_pending.zero_()  # who waits for a reset is known already, on the host

    @override
    def observe(self) -> Obs:
        seen = self._env.obs_buf
        states = {key: seen[group].float() for group, key in GROUPS.items()}
        states[ENVIRONMENT_STATE] = self._uncertain.seen(states[ENVIRONMENT_STATE])
        return states | {key: seen[group][:, i].unsqueeze(-1) for key, (group, i) in depths(self._env).items()}

    @override
    def judge(self, last: Tensor) -> tuple[Tensor, Tensor]:
        failed = self._env.reset_terminated
        return self._verdict.judge(self._env, last) & ~failed, failed

    @override
    def reward(self) -> Tensor:
        return self._reward

    @override
    def look(self) -> Obs:
        seen = self._env.obs_buf
        return {key: _pixels(seen[group]) for group, key in images(self._env).items()}

    @override
    def rows(self) -> Rows:
        everything = {"env": self._env, "verdict": self._verdict, "uncertain": self._uncertain}
        return Rows(_physics(self._env), everything, ("mjlab", "burnish.sim.mjlab"), self.num_envs)

    @override
    def draw(self, lanes: Sequence[int], size: int) -> np.ndarray:
        import mujoco

        from burnish.sim.raytrace import pose_of, raytrace

        model, poses = self._env.sim.mj_model, []
        data = mujoco.MjData(model)
        for lane in lanes:
            data.qpos[:] = self._env.sim.data.qpos[lane].cpu().numpy()
            mujoco.mj_kinematics(model, data)
            poses.append(pose_of(data))
        return raytrace(model, poses, VIEW, size)

    @override
    def close(self) -> None:
        self._env.close()


class Mjlab(BatchEnv):
    """One task ("Lift-Cube-Yam")."""

    tasks = ABOUT.tasks
    randomizes = DRAWN

    def __init__(self, name: str, *, randomize: Mapping[str, float] | None = None, **settings: Any) -> None:
        """
        Args:
            randomize: fields of `burnish.sim.randomize.Randomization`, beside what the task's own events draw.
            settings: of `BatchEnv`.
        Raises `UnknownNameError`, `BurnishError`.
        """
        known_task("mjlab", name, TASKS)
        able = DRAWN if TASKS[name].has_object else DRAWN[:1]
        drawn = uncertain(f"mjlab/{name}", randomize, able, math.inf)
        super().__init__(f"mjlab/{name}", partial(MjlabBatch, name, drawn), **settings)


def make(task: str, num_envs: int, horizon: int, device: str) -> Any:
    """mjlab's environment, as `Batch` wants it: no resets of its own, no curricula."""
    start_warp()
    import mjlab.tasks  # noqa: F401  (registers them)
    from mjlab.envs import ManagerBasedRlEnv
    from mjlab.tasks.registry import load_env_cfg

    config = load_env_cfg(f"Mjlab-{task}")
    config.scene.num_envs, config.auto_reset, config.curriculum = num_envs, False, {}
    config.episode_length_s = horizon * config.sim.mujoco.timestep * config.decimation
    motion: Any = config.commands.get("motion")
    if motion is not None:
        motion.motion_file = os.environ[MOTION]
    return ManagerBasedRlEnv(config, device=device)


def contract(env: Any) -> Contract:
    """What mjlab's `env` observes and takes."""
    rate = 1 / env.step_dt
    fields: dict[str, Field] = {}
    for group, key in GROUPS.items():
        names, units = _words(env, group)
        fields[key] = Field((len(names),), names, units, "base", rate, "mean_std")
    for group, key in images(env).items():
        _, height, width = env.observation_manager.group_obs_dim[group]
        shape, unit = (height, width, 3), ("1/255",) * 3
        fields[key] = Field(shape, ("r", "g", "b"), unit, "camera", rate, "identity", dtype="uint8")
    for key, (group, _) in depths(env).items():
        _, height, width = env.observation_manager.group_obs_dim[group]
        fields[key] = Field((height, width, 1), (key.rpartition(".")[2],), ("m",), "camera", rate, "identity")
    size = env.action_manager.total_action_dim
    names = tuple(f"action{index}" for index in range(size))
    bounds = {"low": (-1.0,) * size, "high": (1.0,) * size}
    return Contract(fields, Field((size,), names, ("1",) * size, "base", rate, "min_max", **bounds))


def images(env: Any) -> dict[str, str]:
    """Groups of observations that are colour images → contract key."""
    return {group: f"{IMAGES}{group}" for group in _others(env) if _channels(env, group) == 3}


def depths(env: Any) -> dict[str, tuple[str, int]]:
    """Contract key → group, and number, of each channel that is no colour."""
    groups = [group for group in _others(env) if _channels(env, group) != 3]
    return {f"observation.{group}{i or ''}": (group, i) for group in groups for i in range(_channels(env, group))}


def _others(env: Any) -> list[str]:
    return [group for group in env.observation_manager.active_terms if group not in GROUPS]


def _channels(env: Any, group: str) -> int:
    return int(env.observation_manager.group_obs_dim[group][0])


def _words(env: Any, group: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    manager = env.observation_manager
    terms = zip(manager.active_terms[group], manager.group_obs_term_dim[group], strict=True)
    words = [(f"{term}{index}", UNITS.get(term, "1")) for term, shape in terms for index in range(math.prod(shape))]
    return tuple(name for name, _ in words), tuple(unit for _, unit in words)


def _pixels(image: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] to (N, H, W, 3) uint8."""
    scaled = image if image.dtype == torch.uint8 else (image * 255).round().clamp(0, 255).to(torch.uint8)
    return scaled.movedim(1, -1).contiguous()


def _physics(env: Any) -> dict[str, Tensor]:
    """MuJoCo-Warp's own arrays with a row per world, and what is drawn anew of the model."""
    import warp

    arrays = {f"data.{name}": value for name, value in vars(env.sim.wp_data).items()}
    arrays |= {f"model.{name}": getattr(env.sim.wp_model, name) for name in env.sim.expanded_fields}
    count = env.num_envs
    return {
        name: warp.to_torch(value)
        for name, value in arrays.items()
        if isinstance(value, warp.array) and value.size and value.shape[0] == count
    }
