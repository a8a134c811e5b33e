"""The vector environment `maniskill/TASK`: one world per lane, on a CPU. An action of 1 moves the hand by 10 cm.

PhysX keeps contacts that it does not tell, so that a snapshot is an episode's seed and its actions: exact, and as long
to restore as the episode took.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from burnish.contract import ENVIRONMENT_STATE, STATE, Contract, Field
from burnish.sim.about import known_task
from burnish.sim.lanes import Arrays
from burnish.sim.maniskill.lane import ManiSkillLane
from burnish.sim.maniskill.tasks import TASKS
from burnish.sim.maniskill.uncertain import DRAWN
from burnish.sim.randomize import uncertain
from burnish.sim.raytrace import RenderError
from burnish.sim.vector import LanesEnv

RATE_HZ = 20.0
HAND = ("dx", "dy", "dz", "drx", "dry", "drz", "gripper")
HAND_UNITS = ("10 cm",) * 3 + ("0.1 rad",) * 3 + ("1",)


def contract(task: str) -> Contract:
    """Of `task`."""
    what = TASKS[task]
    joints = [f"joint{index}" for index in range(what.joints)]
    state = Field(
        (2 * what.joints,),
        (*joints, *(f"{joint}_velocity" for joint in joints)),
        ("rad",) * what.joints + ("rad/s",) * what.joints,
        "base",
        RATE_HZ,
        "mean_std",
    )
    know = Field((len(what.names),), what.names, what.units, "world", RATE_HZ, "mean_std")
    names, units, most = HAND[: what.action], HAND_UNITS[: what.action], (1.0,) * what.action
    low = tuple(-value for value in most)
    action = Field((what.action,), names, units, "base", RATE_HZ, "min_max", low=low, high=most)
    return Contract({STATE: state, ENVIRONMENT_STATE: know}, action)


class ManiSkill(LanesEnv):
    """One task ("PushCube-v1") in `num_envs` lanes. Raises `UnknownNameError` with the closest match."""

    tasks = tuple(TASKS)
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
        dense_reward: bool = False,
        randomize: Mapping[str, float] | None = None,
    ) -> None:
        """`randomize`: fields of `burnish.sim.randomize.Randomization`; None for a world that is always the same."""
        known_task("maniskill", name, TASKS)
        drawn = uncertain(f"maniskill/{name}", randomize, self.randomizes, 1 / RATE_HZ)
        super().__init__(
            f"maniskill/{name}",
            contract(name),
            f"{ManiSkillLane.__module__}:{ManiSkillLane.__name__}",
            {"task": name, "randomize": drawn},
            num_envs=num_envs,
            workers=workers,
            horizon=TASKS[name].steps if horizon is None else horizon,
            auto_reset=auto_reset,
            dense_reward=dense_reward,
            renderer=_blind,
        )


def _blind(poses: list[Arrays], size: int) -> np.ndarray:
    raise RenderError("maniskill: its worlds are not filmed here; record its own videos, or judge without")
