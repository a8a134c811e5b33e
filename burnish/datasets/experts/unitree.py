"""An expert that stands: the pose that the motors' own controllers hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from burnish import registry
from burnish.sim.base import VecEnv
from burnish.unitree import GO2

TASKS = ("unitree/stand",)


class UnitreeExpert:
    """Its action is always the same."""

    def __init__(self, env: VecEnv) -> None:
        """Raises `UnknownNameError` for a task without an expert."""
        if env.task not in TASKS:
            raise registry.unknown("expert of the task", env.task, TASKS)
        self.label: Tensor = torch.tensor(GO2.path[-1]).repeat(env.num_envs, 1)

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """It remembers nothing."""

    def looks(self) -> list[int]:
        """It reads nothing."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, A), which are their own labels."""
        return self.label
