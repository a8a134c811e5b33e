"""A policy as an expert: what reinforcement learning found out, shown to those who see less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from burnish.agent import Agent
from burnish.datasets.experts.disturbance import Disturbance


class LearnedExpert:
    """Executes an agent's action plus noise and labels it with the clean one (DART, arXiv 1703.09327)."""

    def __init__(self, agent: Agent, stride: Tensor, lanes: int, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """
        Args:
            stride: (A,) what one action may change, physical units: what disturbances are measured in.
            noise: standard deviation of the Gaussian added to every action, in strides.
            push_steps: to the first 0 … `push_steps` actions of an episode (drawn per episode) half a stride is added,
                in a random direction.
        """
        self._agent, self._stride = agent, stride.cpu()
        self._disturbance = Disturbance(lanes, len(stride), len(stride), noise=noise, push_steps=push_steps)
        self.label: Tensor = torch.zeros(lanes, len(stride))

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Start a new episode in `lanes`, its disturbances drawn from `seeds`."""
        self._agent.reset(lanes, seeds)
        self._disturbance.reset(lanes, seeds)

    def looks(self) -> list[int]:
        """Those of the agent."""
        return self._agent.looks()

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, A), physical units; `label` holds the clean ones."""
        self.label = self._agent.act(obs)
        away = torch.from_numpy(np.stack([self._away(lane) for lane in range(len(self.label))]))
        return self.label + (self._stride * away).to(self.label)

    def _away(self, lane: int) -> np.ndarray:
        push = self._disturbance.push(lane)
        return self._disturbance.noise(lane) if push is None else push / 2
