"""The vector environment `isaaclab/TASK`: Isaac Lab's own environment on Newton, one batch on a GPU or a CPU.

Actions are Isaac Lab's: shares of a scale. Its curricula are off, so that an episode does not depend on how many there
were before. Its own reward is the dense one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, override

import numpy as np
import torch
from torch import Tensor

from burnish.errors import BurnishError
from burnish.sim.about import known_task
from burnish.sim.base import Obs
from burnish.sim.batched import Batch, BatchEnv
from burnish.sim.camera import Camera
from burnish.sim.isaaclab.about import ABOUT
from burnish.sim.isaaclab.assets import VARIABLE
from burnish.sim.isaaclab.observations import cameras, contract, groups, remembers, see, without_images
from burnish.sim.isaaclab.physics import Physics
from burnish.sim.isaaclab.tasks import TASKS
from burnish.sim.isaaclab.verdicts import VERDICTS
from burnish.sim.isaaclab.world import World
from burnish.sim.libero.quiet import quiet
from burnish.sim.rows import Rows
from burnish.sim.tracer import start_warp

VIEW = Camera(eye=(-4.0, -3.0, 3.0), target=(0.0, 0.0, 1.5))


class IsaacLabBatch(Batch):
    """N worlds of one of Isaac Lab's tasks."""

    def __init__(self, task: str, num_envs: int, horizon: int, device: str, pixels: int | None) -> None:
        self.num_envs, self.device = num_envs, torch.device(device)
        self._running = ExitStack()
        with quiet():
            start_warp()
            self._world = World()
            with self._world:
                self._env = make(task, num_envs, horizon, device, pixels, self._running)
                self._physics = Physics(num_envs)
        self._verdict = VERDICTS[TASKS[task].verdict](num_envs, device)
        self._cameras = cameras(self._env)
        self.begin(torch.arange(num_envs, device=self.device), [0] * num_envs)
        self.contract = contract(self._env, self._cameras)

    @override
    def begin(self, lanes: Tensor, seeds: Sequence[int]) -> None:
        with self._world:
            env, others = self._env, torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
            others[lanes] = False
            self._verdict.begin(lanes)
            type(env)._reset_idx(env, lanes.int())
            env.scene.write_data_to_sim()
            env.sim.forward()
            rows = self.rows() if remembers(env) else None  # what others saw before must not move on
            before = rows.take(others) if rows else {}
            env.obs_buf = see(env)
            if rows:
                rows.put(others, before)

    @override
    def step(self, action: Tensor) -> None:
        with self._world:
            self._reward = self._env.step(action)[1]

    @override
    def observe(self) -> Obs:
        return {key: self._env.obs_buf[group].float() for group, key in groups(self._env).items()}

    @override
    def judge(self, last: Tensor) -> tuple[Tensor, Tensor]:
        with self._world:
            success = self._verdict.judge(self._env, last)
            return success, self._env.reset_terminated & ~success

    @override
    def reward(self) -> Tensor:
        return self._reward

    @override
    def look(self) -> Obs:
        with self._world:
            return {key: camera.data.output["rgb"].torch[..., :3] for key, camera in self._cameras.items()}

    @override
    def rows(self) -> Rows:
        everything, packages = {"env": self._env, "verdict": self._verdict}, ("isaaclab", "burnish.sim.isaaclab")
        return Rows(self._physics.tensors(), everything, packages, self.num_envs, self._physics.view)

    @override
    def draw(self, lanes: Sequence[int], size: int) -> np.ndarray:
        from burnish.sim.raytrace import raytrace

        return raytrace(self._physics.picture, self._physics.poses(lanes), VIEW, size)

    @override
    def close(self) -> None:
        with self._world, quiet():
            self._env.close()
            self._running.close()


class IsaacLab(BatchEnv):
    """One task ("Isaac-Cartpole")."""

    tasks = ABOUT.tasks
    has_cameras = True

    def __init__(self, name: str, *, cameras: int | None = None, **settings: Any) -> None:
        """`cameras`: pixels; `settings`: of `BatchEnv`. Raises `UnknownNameError`, `BurnishError`."""
        known_task("isaaclab", name, TASKS)
        task = f"isaaclab/{name}"
        if cameras is not None and not TASKS[name].cameras:
            able = ", ".join(one for one in TASKS if TASKS[one].cameras)
            raise BurnishError(f"{task}: cameras={cameras}, but it has none; take one of these: {able}")
        super().__init__(task, partial(IsaacLabBatch, name, pixels=cameras), **settings)


def make(task: str, num_envs: int, horizon: int, device: str, pixels: int | None, running: ExitStack) -> Any:
    """Isaac Lab's environment, as `Batch` wants it: no resets of its own, no curricula, no images unless looked at."""
    import gymnasium
    import isaaclab_tasks  # noqa: F401  (registers them)  # pyright: ignore[reportMissingImports]
    from isaaclab.app.sim_launcher import launch_simulation  # pyright: ignore[reportMissingImports]
    from isaaclab_tasks.utils import parse_env_cfg  # pyright: ignore[reportMissingImports]

    config: Any = parse_env_cfg(task, device=device, num_envs=num_envs, overrides=["physics=newton_mjwarp"])
    config.episode_length_s = horizon * config.sim.dt * config.decimation
    config.sim.create_stage_in_memory = True  # not the one that another world has
    if hasattr(config, "curriculum"):
        config.curriculum = None
    without_images(getattr(config, "observations", None))
    for camera in vars(config.scene).values():
        if pixels is not None and hasattr(camera, "data_types"):
            camera.width = camera.height = pixels
    try:
        running.enter_context(launch_simulation(config, {"device": device, "headless": True}))
        env: Any = gymnasium.make(task, cfg=config).unwrapped
    except FileNotFoundError as error:
        what = str(error).partition("\n")[0]
        raise BurnishError(f"isaaclab/{task}: {what}; export {VARIABLE}=FOLDER that has it") from error
    env._reset_idx = lambda lanes: None  # `step` would reset what has ended before anyone has seen it
    return env
