"""What a policy for a walking robot reads and commands: the driver's contract at its rate, and what it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from burnish.contract import ENVIRONMENT_STATE, STATE, Contract, Field
from burnish.sim.unitree.tasks import Task
from burnish.unitree import contract as robot_contract

RATE_HZ = 50.0


def contract(task: Task) -> Contract:
    """The driver's at `RATE_HZ`, what a policy may ask the joints, and what it is told."""
    model = task.model
    robot, limits = robot_contract(model, RATE_HZ), model.limits
    pose, reach = np.array(model.path[-1]), np.array(task.reach)
    state = replace(robot.observation[STATE], normalization="mean_std")
    low = tuple(np.maximum(pose - reach, limits.low).tolist())
    high = tuple(np.minimum(pose + reach, limits.high).tolist())
    names, units = tuple(task.units), tuple(task.units.values())
    least, most = zip(*(task.ranges[name] for name in names), strict=True)
    told = Field((len(names),), names, units, task.frame, RATE_HZ, "mean_std", low=least, high=most)
    return Contract({STATE: state, ENVIRONMENT_STATE: told}, replace(robot.action, low=low, high=high))
