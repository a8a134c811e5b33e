"""What a policy for a walking robot reads and commands: the driver's contract at its rate, and what it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from burnish import gait
from burnish.contract import ENVIRONMENT_STATE, STATE, Contract, Field
from burnish.sim.unitree.tasks import Task
from burnish.unitree import Model
from burnish.unitree import contract as robot_contract

RATE_HZ = 50.0
REACH = (0.3, 0.5, 0.65) * 4
"""rad: how far from standing an action may ask a hip, a thigh and a calf. A leg that carries half of the body gives way
by 6 cm under the gains of a policy, so it needs as much to lift a foot."""


def contract(model: Model, task: Task) -> Contract:
    """The driver's at `RATE_HZ`, what a policy may ask the joints, and what it is told."""
    robot, pose = robot_contract(model, RATE_HZ), np.array(model.path[-1])
    state = replace(robot.observation[STATE], normalization="mean_std")
    low, high = (tuple((pose + sign * np.array(REACH)).tolist()) for sign in (-1, 1))
    ranges = [task.ranges.get(name, (-1.0, 1.0)) for name in gait.NAMES]
    least, most = zip(*ranges, strict=True)
    units = tuple(gait.UNITS.values())
    told = Field((len(gait.NAMES),), gait.NAMES, units, "body", RATE_HZ, "mean_std", low=least, high=most)
    return Contract({STATE: state, ENVIRONMENT_STATE: told}, replace(robot.action, low=low, high=high))
