"""A scripted expert of ManiSkill's PushCube. What it does is a function of the observation alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE
from burnish.datasets.experts.disturbance import Disturbance, DisturbedExpert
from burnish.sim.base import VecEnv

REACH_M = 0.1
"""Displacement that an action of 1 commands."""
BEHIND_M, LOW_M, ASIDE_M = 0.08, 0.02, 0.02
CLOSED = -1.0


class ManiSkillExpert(DisturbedExpert):
    """Executes the script's action plus noise and labels it with the clean one."""

    def __init__(self, env: VecEnv, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """`noise`, `push_steps`: see `Disturbance`. Raises `UnknownNameError` for a task without an expert."""
        if env.task != "maniskill/PushCube-v1":
            raise registry.unknown("expert of the task", env.task, ["maniskill/PushCube-v1"])
        super().__init__(Disturbance(env.num_envs, 3, 3, noise=noise, push_steps=push_steps))
        self.label: Tensor = torch.zeros(env.num_envs, 7)

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, 7); `label` holds the clean ones."""
        clean = np.stack([push(seen) for seen in obs[ENVIRONMENT_STATE].double().cpu().numpy()])
        self.label = torch.from_numpy(clean.astype(np.float32))
        return torch.from_numpy(self._disturbance.of(clean).astype(np.float32))


def push(seen: np.ndarray) -> np.ndarray:
    """(7,): behind the cube, down, and on to the goal, which lies ahead along x."""
    hand, goal, cube = seen[:3], seen[7:10], seen[10:13]
    behind = hand[0] < cube[0] - BEHIND_M / 2 and abs(hand[1] - cube[1]) < ASIDE_M
    if behind and hand[2] < 2 * LOW_M:
        aim = np.array([goal[0], cube[1], LOW_M])
    elif behind:
        aim = np.array([cube[0] - BEHIND_M, cube[1], LOW_M])
    else:
        aim = np.array([cube[0] - BEHIND_M, cube[1], max(hand[2], 0.1)])
    return np.array([*np.clip((aim - hand) / REACH_M, -1, 1), 0.0, 0.0, 0.0, CLOSED])
