"""Where an episode begins, as `World.restore` wants it."""

from __future__ import annotations

import mujoco
import numpy as np

from burnish.sim.franka.hand import resting
from burnish.sim.franka.model import ARM, FINGER, STIFFNESS, TIMESTEP_S
from burnish.sim.franka.scene import OBJECT
from burnish.sim.franka.task import Task, begin

FULL = mujoco.mjtState.mjSTATE_FULLPHYSICS


def first(task: Task, model: mujoco.MjModel, ticks: int, seed: int) -> dict[str, np.ndarray]:
    """The state with which the episode of `seed` begins: all at rest, and so planned for the `ticks` of an action, by a
    controller that is as stiff as it is by default."""
    start, joints = begin(task, seed)
    physics, plan = np.zeros(mujoco.mj_stateSize(model, FULL)), np.zeros((ticks, model.nu))
    qpos, _ = moving(model, physics)
    qpos[ARM], qpos[FINGER] = joints, start.width / 2
    if start.place is not None:
        qpos[OBJECT] = start.place
    plan[:, ARM], plan[:, FINGER] = joints * STIFFNESS, start.width / 2
    return {
        "physics": physics,
        "target": start.target,
        "plan": plan,
        "last": joints,
        "motion": np.stack([joints, np.zeros(7), np.zeros(7)]),
        "hand": resting(start.width, TIMESTEP_S),
        "seed": np.array(seed, np.uint64),
    }


def moving(model: mujoco.MjModel, physics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`qpos` and `qvel` (…, n) inside states (…, S): what comes first in them is the time."""
    nq, nv = model.nq, model.nv
    return physics[..., 1 : 1 + nq], physics[..., 1 + nq : 1 + nq + nv]
