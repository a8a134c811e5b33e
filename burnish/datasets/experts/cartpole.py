"""A linear controller that holds a pole upright on a cart: for simulators in a batch, an expert that never fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from burnish import registry
from burnish.contract import STATE
from burnish.sim.base import VecEnv

GAINS = {
    "mjlab/Cartpole-Balance": ({"cart_pos0": 1.0, "cart_vel0": 1.5, "pole_angle1": 20.0, "pole_vel0": 4.0}, 1.0),
    "isaaclab/Isaac-Cartpole": (
        {"joint_pos_rel0": 0.4, "joint_vel_rel0": 0.5, "joint_pos_rel1": -2.3, "joint_vel_rel1": -0.5},
        1.0,
    ),
}
"""Task → weights of the numbers it reads by name, and the action's scale."""


class CartpoleExpert:
    """Its action is linear in the state; it never disturbs itself."""

    def __init__(self, env: VecEnv, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """`noise`, `push_steps`: of no use here. Raises `UnknownNameError` for a task without an expert."""
        if env.task not in GAINS:
            raise registry.unknown("expert of the task", env.task, GAINS)
        gains, self._scale = GAINS[env.task]
        weights = [gains.get(name, 0.0) for name in env.contract.observation[STATE].names]
        self._weights = torch.tensor(weights, device=env.device)
        self.label: Tensor = torch.zeros(env.num_envs, 1, device=env.device)

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """It remembers nothing."""

    def looks(self) -> list[int]:
        """It reads states."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, 1), which are their own labels."""
        push = (obs[STATE] @ self._weights).clamp(-self._scale, self._scale)
        self.label = push.unsqueeze(1)
        return self.label
