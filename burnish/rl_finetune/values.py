"""How much success is still to come: a critic of states for generalised advantages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from burnish.policies.base import Policy
from burnish.policies.optimizers import learner_state, restore_learner
from burnish.rl_finetune.episodes import Episode
from burnish.rl_finetune.objective import gae


@dataclass(frozen=True)
class ValueConfig:
    """The critic and what is asked of it."""

    gamma: float = 0.999
    """Per environment step: success that comes sooner is worth more."""
    lam: float = 0.9
    hidden: int = 256
    lr: float = 1e-3
    epochs: int = 5
    batch_size: int = 512


class Value(nn.Module):
    """V(s) of what a policy knows at every step: numbers and instruction."""

    def __init__(self, policy: Policy, cfg: ValueConfig, seed: int) -> None:
        super().__init__()
        self.cfg, self._policy = cfg, [policy]
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = nn.Sequential(
                *(nn.Linear(policy.state_dim, cfg.hidden), nn.SiLU(), nn.LayerNorm(cfg.hidden)),
                *(nn.Linear(cfg.hidden, cfg.hidden), nn.SiLU(), nn.LayerNorm(cfg.hidden)),
                nn.Linear(cfg.hidden, 1),
            )
        self.optimizer = torch.optim.AdamW(self.parameters(), cfg.lr, fused=True)

    @torch.no_grad()
    def read(self, obs: Mapping[str, Tensor]) -> Tensor:
        """What it judges by (B, C)."""
        return self._policy[0].encode_state(obs)

    def forward(self, state: Tensor) -> Tensor:
        """(B, C) → (B,)."""
        return self.network(state)[:, 0]

    @torch.no_grad()
    def judge(self, episodes: Sequence[Episode]) -> tuple[Tensor, Tensor, Tensor]:
        """States (M, C), advantages (M,) and returns (M,) of every decision, episode after episode."""
        states, advantages, returns = [], [], []
        for one in episodes:
            state = self.read(one.obs)
            last = 0.0 if one.success else float(self(self.read(one.last)))
            found = gae(one.reward, self(state), last, gamma=self.cfg.gamma, lam=self.cfg.lam, steps=one.steps)
            states.append(state)
            advantages.append(found[0])
            returns.append(found[1])
        return torch.cat(states), torch.cat(advantages), torch.cat(returns)

    def fit(self, state: Tensor, target: Tensor, generator: torch.Generator) -> float:
        """Regress on returns; the last pass's mean squared error."""
        found = 0.0
        for _ in range(self.cfg.epochs):
            losses = []
            for each in torch.randperm(len(target), generator=generator).split(self.cfg.batch_size):
                loss = (self(state[each]) - target[each]).square().mean()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                losses.append(float(loss.detach()))
            found = sum(losses) / len(losses)
        return found

    def state(self) -> dict[str, Tensor]:
        """Weights and optimizer."""
        return learner_state("value", self, self.optimizer)

    def restore(self, under: Callable[[str], dict[str, Tensor]]) -> None:
        """Put back what `state` gave; `under(prefix)` selects."""
        restore_learner("value", self, self.optimizer, under)
