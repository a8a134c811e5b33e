"""Tasks of a Franka Research 3 on a table, thousands of steps a second on a CPU, and more on a GPU (`warped`).

Observations and actions are those of the robot's driver (`burnish.real.franka`), at the policy's rate, so what is
trained here is deployed unchanged; `observation.environment_state` is what only a simulator or a tracker knows.
Between two actions the set point moves as the driver moves it, and the joints follow as the simulated robot's do. An
action for which the driver would halt (`halts`) ends the episode: `info["crashed"]` (N,) bool says where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, override

import numpy as np

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, POINTS, STATE, Contract, Field
from burnish.errors import BurnishError
from burnish.fr3 import LIMITS
from burnish.fr3 import contract as robot_contract
from burnish.sim import protocols
from burnish.sim.about import known_task
from burnish.sim.base import VecEnv
from burnish.sim.camera import Camera
from burnish.sim.franka.model import TIMESTEP_S, physics_model, set_fixture, visual_model
from burnish.sim.franka.task import Task
from burnish.sim.franka.tasks import TASKS
from burnish.sim.franka.views import CAMERAS, HIGH, LOW
from burnish.sim.lanes import Arrays
from burnish.sim.randomize import EVERYTHING, uncertain
from burnish.sim.vector import LanesEnv

RATE_HZ = 20.0
VIEW = Camera(eye=(1.35, -0.75, 0.85), target=(0.35, 0.0, 0.2), fovy=45.0)
"""From the front left, the whole arm in view."""


def contract(task: Task, rate_hz: float = RATE_HZ, cameras: int | None = None, points: int | None = None) -> Contract:
    """The driver's at `rate_hz`, with bounds, what the task adds, and what `cameras` (pixels per side) and a cloud of
    `points` show."""
    robot = robot_contract()
    state = replace(robot.observation[STATE], rate_hz=rate_hz, normalization="whitening")
    know = Field((len(task.names),), task.names, task.units, "base", rate_hz, "whitening")
    action = replace(robot.action, rate_hz=rate_hz, normalization="range", low=LIMITS.low, high=LIMITS.high)
    looks: dict[str, Field] = {}
    if cameras is not None:
        shape, names, unit = (cameras, cameras, 3), ("r", "g", "b"), ("1/255",) * 3
        looks |= dict.fromkeys(CAMERAS, Field(shape, names, unit, "camera", rate_hz, "identity", "uint8"))
    if points is not None:
        axes = ("x", "y", "z")
        looks[POINTS] = Field((points, 3), axes, ("m",) * 3, "base", rate_hz, "min_max", low=LOW, high=HIGH)
    return Contract({STATE: state, ENVIRONMENT_STATE: know} | looks, action)


def default_horizon(task: str, rate_hz: float) -> int:
    """Steps per episode: the protocol's, which counts steps of `RATE_HZ`."""
    return round(protocols.horizon(task) * rate_hz / RATE_HZ)


PRACTICE = {"halts": False}
"""A beginner who ends whenever it comes too near to the table learns to keep away from what lies on it."""
BACKENDS = registry.Registry("backend of the Franka world", "burnish.franka_backends")
"""By the setting `backend`: `mujoco.rollout` on CPU threads, or MuJoCo-Warp, for GPUs."""
BACKENDS.register("rollout", "burnish.sim.franka.env:FrankaWorld")
BACKENDS.register("warp", "burnish.sim.franka.warped:FrankaOnWarp")


class FrankaWorld(LanesEnv):
    """One task ("lift") in `num_envs` lanes; `workers` are threads here. The dense reward is the task's."""

    tasks = tuple(TASKS)
    has_cameras = True
    has_points = True
    has_dense_reward = True
    has_bank = True
    practice = PRACTICE
    randomizes = EVERYTHING

    def __init__(
        self,
        name: str,
        *,
        num_envs: int,
        workers: int = 0,
        horizon: int | None = None,
        auto_reset: bool = False,
        cameras: int | None = None,
        points: int | None = None,
        dense_reward: bool = False,
        rate_hz: float = RATE_HZ,
        randomize: Mapping[str, float] | None = None,
        bank: str | Path | None = None,
        bank_share: float = 0.5,
        halts: bool = True,
        backend: str = "rollout",
        device: str | None = None,
    ) -> None:
        """
        Args:
            rate_hz: of actions; a divisor of 500 Hz, the physics' own rate.
            randomize: fields of `burnish.sim.randomize.Randomization`; None for a world that is always the same.
            bank: file of states in the middle of the task (`bank.Bank`), in which episodes begin; never evaluation's.
            bank_share: of the episodes that do.
            halts: whether an episode ends where the driver would halt; if not, that action is not done, its dense
                reward is 0, and `crashed` says so.
            backend: by which `make_env` has chosen this class.
            device: "cpu", as is None.
        Raises `UnknownNameError` with the closest match; `BurnishError` where packages are missing.
        """
        known_task("franka", name, TASKS)
        if device not in (None, "cpu"):
            raise BurnishError(f"franka/{name}: backend={backend!r} runs on a CPU, not on {device!r}; take 'warp'")
        if workers < 0:
            raise BurnishError(f"workers must be 0 or more, not {workers}")
        task = fitting(name, rate_hz)
        drawn = uncertain(f"franka/{name}", randomize, self.randomizes, 1 / rate_hz)
        super().__init__(
            f"franka/{name}",
            contract(task, rate_hz, cameras, points),
            "burnish.sim.franka.cameras:Cameras",
            {"task": name, "rate_hz": rate_hz, "randomize": drawn, "cameras": cameras, "points": points}
            | {"bank": None if bank is None else str(bank), "bank_share": bank_share, "halts": halts}
            | {"threads": workers},
            num_envs=num_envs,
            workers=workers,
            horizon=default_horizon(f"franka/{name}", rate_hz) if horizon is None else horizon,
            auto_reset=auto_reset,
            renderer=lambda poses, size: render(task, poses, size),
            dense_reward=dense_reward,
            group="burnish.sim.franka.group:RolloutGroup",
        )

    @override
    @classmethod
    def backend(cls, settings: Mapping[str, Any]) -> type[VecEnv]:
        """Which of `BACKENDS`: MuJoCo-Warp for a `device` that is no CPU. Raises `UnknownNameError`."""
        return BACKENDS.load(settings.get("backend", "rollout" if settings.get("device") in (None, "cpu") else "warp"))


def fitting(name: str, rate_hz: float) -> Task:
    """The task `name`. Raises `BurnishError` for a rate that does not divide the physics', and for missing packages,
    before anything else happens."""
    ticks, task = 1 / (rate_hz * TIMESTEP_S), TASKS[name]
    if abs(ticks - round(ticks)) > 1e-9:
        raise BurnishError(f"franka/{name}: rate_hz={rate_hz:g} does not divide {1 / TIMESTEP_S:g}; try 20 or 50")
    physics_model(task)
    return task


def render(task: Task, poses: list[Arrays], size: int) -> np.ndarray:
    """(T, size, size, 3) uint8 frames of `FrankaWorld.poses`. Raises `RenderError` where no renderer runs."""
    import mujoco

    from burnish.sim.raytrace import pose_of, raytrace

    model = visual_model(task)
    data, drawn = mujoco.MjData(model), []
    for pose in poses:
        data.qpos[:] = pose["qpos"]
        set_fixture(model, task, pose["target"])
        mujoco.mj_kinematics(model, data)
        drawn.append(pose_of(data))
    return raytrace(model, drawn, VIEW, size)
