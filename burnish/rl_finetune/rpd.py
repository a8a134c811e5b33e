"""Refined policy distillation: RPD (arXiv 2503.05833): PPO that is also drawn to what a teacher would do.

The loss is PPO's plus λ times the squared distance of the student's mean action from the teacher's. The teacher is
asked once per decision and its answer kept: asking it in every minibatch is what makes the published code slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from burnish.contract import ACTION
from burnish.datasets.demonstrations import Demonstrations
from burnish.policies.base import Policy
from burnish.rl_finetune.arena import Arena
from burnish.rl_finetune.dppo import ActorCritic, DppoConfig
from burnish.rl_finetune.episodes import Episode
from burnish.rl_finetune.likelihood import Experience
from burnish.rl_finetune.loop import refine
from burnish.rl_finetune.teachers import load_teacher
from burnish.run import Run
from burnish.sim.base import VecEnv


@dataclass(frozen=True, kw_only=True)
class RpdConfig(DppoConfig):
    """DPPO's, and the teacher."""

    teacher: Path | None = None
    """Checkpoint of the teacher: any policy with the student's contract."""
    imitation: float = 1.0
    """λ, of the squared distance to the teacher's action, network units."""


class Taught(ActorCritic):
    """An actor-critic with a teacher."""

    cfg: RpdConfig

    def __init__(self, policy: Policy, env: VecEnv | Arena, cfg: RpdConfig, teacher: Policy) -> None:
        super().__init__(policy, env, cfg)
        self.teacher = teacher.eval()
        self._answers = torch.zeros(0)

    def experience(self, played: Sequence[Episode]) -> Experience:
        """With the teacher's answers, asked once."""
        known = super().experience(played)
        with torch.no_grad():
            silence = torch.zeros(len(known.advantage), *self.teacher.noise_shape)
            self._answers = self.policy.normalizer.normalize(ACTION, self.teacher.act(known.obs, silence))
        return known

    def besides(self, known: Experience, which: Tensor) -> Tensor:
        """λ ‖μ_student − a_teacher‖² over the actions both plan."""
        obs = {key: value[which] for key, value in known.obs.items()}
        mean = self.chain.draw(obs, torch.zeros(len(which), *self.chain.noise_shape)).chunk
        shared = min(mean.shape[1], self._answers.shape[1])
        return self.cfg.imitation * (mean[:, :shared] - self._answers[which, :shared]).square().mean()


def train(
    run: Run, policy: Policy, env: VecEnv | Arena, demos: Demonstrations | None, cfg: RpdConfig
) -> dict[str, Any]:
    """Refine all of `policy` in `env`; see `loop.refine`."""
    teacher = load_teacher(cfg.teacher, policy, "rpd")
    return refine(run, Taught(policy, env, cfg, teacher), "RPD")
