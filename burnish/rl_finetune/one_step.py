"""A whole chain in one step: a student that ends where the policy ends from the same noise.

RL-100 (arXiv 2510.14830, section 4.5): ‖C(x, τ) − sg(K steps of DDIM from the same noise)‖²; here for τ = 1, which is
where acting begins.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.policies.base import Policy
from burnish.policies.meanflow import MeanFlow, MeanFlowConfig


@dataclass(frozen=True)
class OneStepConfig:
    """Gradient steps after each round and at the end, and the student's size, if it is not the policy's."""

    updates: int = 300
    last_updates: int = 3_000
    batch_size: int = 256
    lr: float = 1e-3
    width: int | None = None
    depth: int | None = None


class OneStep:
    """The student, its average and its optimizer."""

    def __init__(self, teacher: Policy, cfg: OneStepConfig, seed: int) -> None:
        self.cfg, theirs = cfg, teacher.config
        shape = {name: getattr(theirs, name, None) for name in ("denoiser", "width", "depth", "language")}
        shape |= {name: value for name in ("width", "depth") if (value := getattr(cfg, name)) is not None}
        known = {name: value for name, value in shape.items() if value is not None}
        settings = MeanFlowConfig(horizon=teacher.horizon, replan=min(teacher.replan, teacher.horizon), **known)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.learner = MeanFlow(settings, teacher.contract, teacher.stats)
        self.policy = copy.deepcopy(self.learner).eval().requires_grad_(False)
        """The average, which is kept."""

    def fit(self, teacher: Policy, states: Tensor, generator: torch.Generator, *, final: bool = False) -> float:
        """Regress on where `teacher` ends from `states` (M, C), as it encodes them; the last loss."""
        updates = self.cfg.last_updates if final else self.cfg.updates
        optimizer = torch.optim.AdamW(self.learner.parameters(), self.cfg.lr, weight_decay=0.0, fused=True)
        self.learner.load_state_dict(self.policy.state_dict())
        loss = torch.zeros(())
        for update in range(updates):
            for group in optimizer.param_groups:
                group["lr"] = self.cfg.lr * 0.5 * (1 + math.cos(math.pi * update / updates))
            rows = states[torch.randint(len(states), (self.cfg.batch_size,), generator=generator)]
            noise = torch.randn(len(rows), *self.learner.noise_shape, generator=generator)
            with torch.no_grad():
                goal = teacher.sample(rows, noise)
            loss = (self.learner.sample(rows, noise) - goal).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                decay = min(0.99, (1 + update) / (10 + update))
                torch._foreach_lerp_(list(self.policy.parameters()), list(self.learner.parameters()), 1 - decay)
        return float(loss.detach())
