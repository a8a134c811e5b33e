"""Meta-World's 50 manipulation tasks (arXiv 1910.10897, V3 environments) from state observations.

Actions are physical: a commanded displacement of the gripper in metres, and a grip effort. Success is
Meta-World's own `info["success"]`; so is the dense reward, divided by 10, the most it ever is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from burnish.contract import ENVIRONMENT_STATE, POINTS, STATE, Contract, Field
from burnish.sim.about import known_task
from burnish.sim.lanes import Arrays
from burnish.sim.metaworld_lane import HAND, HIGH, LOW, MAX_STEP_M, STATE_NAMES, STATE_UNITS, MetaWorldLane
from burnish.sim.metaworld_tasks import TASKS
from burnish.sim.protocols import horizon as default_horizon
from burnish.sim.randomize import uncertain
from burnish.sim.uncertain import DRAWN
from burnish.sim.vector import LanesEnv

RATE_HZ = 80.0

CONTRACT = Contract(
    observation={STATE: Field((39,), STATE_NAMES, STATE_UNITS, "world", RATE_HZ, "whitening")},
    action=Field(
        shape=(4,),
        names=("dx", "dy", "dz", "gripper"),
        unit=("m", "m", "m", "1"),
        frame="world",
        rate_hz=RATE_HZ,
        normalization="min_max",
        low=(-MAX_STEP_M,) * 3 + (-1.0,),
        high=(MAX_STEP_M,) * 3 + (1.0,),
    ),
)


def contract(points: int | None) -> Contract:
    """`CONTRACT`; with `points`, the robot's own state, what only a simulator knows, and a cloud of so many points."""
    if points is None:
        return CONTRACT
    everything = CONTRACT.observation[STATE]
    own = Field((HAND,), STATE_NAMES[:HAND], STATE_UNITS[:HAND], "world", RATE_HZ, "whitening")
    cloud = Field((points, 3), ("x", "y", "z"), ("m",) * 3, "world", RATE_HZ, "min_max", low=LOW, high=HIGH)
    return Contract({STATE: own, ENVIRONMENT_STATE: everything, POINTS: cloud}, CONTRACT.action)


class MetaWorld(LanesEnv):
    """One task ("peg-insert-side") in `num_envs` lanes. Raises `UnknownNameError` with the closest match."""

    tasks = tuple(TASKS)

    has_points = True
    has_dense_reward = True
    randomizes = DRAWN

    def __init__(
        self,
        name: str,
        *,
        num_envs: int,
        workers: int = 0,
        horizon: int | None = None,
        auto_reset: bool = False,
        points: int | None = None,
        dense_reward: bool = False,
        randomize: Mapping[str, float] | None = None,
    ) -> None:
        """`randomize`: fields of `burnish.sim.randomize.Randomization`; None for a world that is always the same."""
        known_task("metaworld", name, TASKS)
        drawn = uncertain(f"metaworld/{name}", randomize, self.randomizes, 1 / RATE_HZ)
        super().__init__(
            f"metaworld/{name}",
            contract(points),
            f"{MetaWorldLane.__module__}:{MetaWorldLane.__name__}",
            {"task": name, "points": points, "randomize": drawn},
            num_envs=num_envs,
            workers=workers,
            horizon=default_horizon(f"metaworld/{name}") if horizon is None else horizon,
            auto_reset=auto_reset,
            renderer=lambda poses, size: render(name, poses, size),
            dense_reward=dense_reward,
        )


def render(name: str, poses: list[Arrays], size: int) -> np.ndarray:
    """(T, size, size, 3) uint8 frames of `MetaWorld.poses`. Raises `RenderError` where no renderer runs."""
    from burnish.sim.raytrace import Pose, raytrace

    drawn = [Pose(pose["geom_xpos"], pose["geom_xmat"], pose["site_xpos"]) for pose in poses]
    return raytrace(_model(name), drawn, size=size)


@cache
def _model(name: str):
    return MetaWorldLane(name).model
