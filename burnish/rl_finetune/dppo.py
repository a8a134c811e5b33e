"""Policy gradients on a denoising chain: DPPO (arXiv 2409.00588).

The environment's decisions and the steps of each decision's chain are one Markov process of two layers (section 4.2).
The advantage is that of the decision, from a critic of states only; each of the chain's steps gets it, discounted the
earlier it comes (section 4.3). The released code's tricks are on: densities averaged over a chunk's numbers and
clamped, a least deviation for exploration, bounds of the ratio that grow along the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from burnish.datasets.demonstrations import Demonstrations
from burnish.policies.base import Policy
from burnish.rl_finetune.arena import Arena
from burnish.rl_finetune.episodes import Episode
from burnish.rl_finetune.likelihood import LikelihoodConfig, LikelihoodTrainer
from burnish.rl_finetune.loop import refine
from burnish.rl_finetune.objective import ClipConfig
from burnish.rl_finetune.values import Value, ValueConfig
from burnish.run import Run
from burnish.sim.base import VecEnv


@dataclass(frozen=True, kw_only=True)
class DppoConfig(LikelihoodConfig):
    """The paper's tricks (appendix F), in sizes for some hundred thousand environment steps, not its many millions:
    bounds are twice as wide, and ten times where a chain begins."""

    clip: ClipConfig = field(
        default_factory=lambda: ClipConfig(low=0.02, high=0.02, first=0.5, clamp=(-5.0, 2.0), discount=0.99)
    )
    epochs: int = 10
    value: ValueConfig = field(default_factory=ValueConfig)
    value_iterations: int = 2
    """Rounds in which only the critic learns."""


class ActorCritic(LikelihoodTrainer):
    """Advantages from a critic; in its first rounds only the critic learns."""

    cfg: DppoConfig

    def __init__(self, policy: Policy, env: VecEnv | Arena, cfg: DppoConfig) -> None:
        super().__init__(policy, env, cfg)
        self.value = Value(policy, cfg.value, cfg.seed)

    def judge(self, episodes: Sequence[Episode]) -> Tensor:
        """Generalised advantages, of mean 0 and deviation 1."""
        state, advantage, target = self.value.judge(episodes)
        with torch.enable_grad():
            self.value.fit(state, target, self.generator)
        if self.iterations < self.cfg.value_iterations:
            return torch.zeros_like(advantage)
        return (advantage - advantage.mean()) / (advantage.std() + 1e-6)

    def state(self) -> dict[str, Tensor]:
        """With the critic."""
        return super().state() | self.value.state()

    def load(self, tensors: Mapping[str, Tensor], under: Callable[[str], dict[str, Tensor]]) -> None:
        """With the critic."""
        super().load(tensors, under)
        self.value.restore(under)


def train(
    run: Run, policy: Policy, env: VecEnv | Arena, demos: Demonstrations | None, cfg: DppoConfig
) -> dict[str, Any]:
    """Refine all of `policy` in `env`; see `loop.refine`."""
    return refine(run, ActorCritic(policy, env, cfg), "DPPO")
