"""A policy as an expert: what reinforcement learning found out, shown to those who see less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from burnish.agent import Agent

PUSH_STEPS = 4
"""Steps for which one random push at the start of an episode keeps its direction."""


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
        self._agent, self._stride, self._noise, self._push_steps = agent, stride.cpu(), noise, push_steps
        self._random = [np.random.default_rng(0) for _ in range(lanes)]
        self._pushes: list[np.ndarray] = [np.zeros((0, len(stride))) for _ in range(lanes)]
        self._time = [0] * lanes
        self.label: Tensor = torch.zeros(lanes, len(stride))

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Start a new episode in `lanes`, its disturbances drawn from `seeds`."""
        self._agent.reset(lanes, seeds)
        for lane, seed in zip(lanes, seeds, strict=True):
            # A stream of its own: the environment draws its start from the same seed.
            self._random[lane] = random = np.random.default_rng([seed, 1])
            steps = int(random.integers(self._push_steps + 1))
            directions = random.uniform(-0.5, 0.5, (-(-steps // PUSH_STEPS), len(self._stride)))
            self._pushes[lane] = np.repeat(directions, PUSH_STEPS, axis=0)[:steps]
            self._time[lane] = 0

    def looks(self) -> list[int]:
        """Those of the agent."""
        return self._agent.looks()

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, A), physical units; `label` holds the clean ones."""
        self.label = self._agent.act(obs)
        away = torch.from_numpy(np.stack([self._disturbance(lane) for lane in range(len(self._time))]))
        return self.label + (self._stride * away).to(self.label)

    def _disturbance(self, lane: int) -> np.ndarray:
        time, pushes = self._time[lane], self._pushes[lane]
        self._time[lane] += 1
        if time < len(pushes):
            return pushes[time]
        return self._noise * self._random[lane].standard_normal(len(self._stride))
