"""A small world model of what was played: a space in which distance is time.

In place of SRPO's video model, where there is none: two observations of one episode are as far apart in it as the steps
between them, so that straight lines lead towards where successful episodes ended. Learned from the rollouts alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from burnish.policies.base import Policy
from burnish.policies.optimizers import learner_state, restore_learner


@dataclass(frozen=True)
class TimeEncoderConfig:
    """An MLP and its training after each round."""

    width: int = 128
    latent: int = 8
    """Few, so that distances mean something."""
    updates: int = 200
    batch_size: int = 256
    lr: float = 1e-3


class TimeEncoder(nn.Module):
    """φ with ‖φ(s_t) − φ(s_u)‖ ≈ |t − u| in shares of the longest episode."""

    def __init__(self, policy: Policy, cfg: TimeEncoderConfig, seed: int) -> None:
        super().__init__()
        self.cfg, self._policy = cfg, [policy]
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = nn.Sequential(
                *(nn.Linear(policy.state_dim, cfg.width), nn.SiLU()),
                *(nn.Linear(cfg.width, cfg.width), nn.SiLU()),
                nn.Linear(cfg.width, cfg.latent),
            )
        self.optimizer = torch.optim.AdamW(self.parameters(), cfg.lr, weight_decay=1e-4, fused=True)

    @torch.no_grad()
    def read(self, obs: Mapping[str, Tensor]) -> Tensor:
        """What it encodes (B, C): numbers and instruction, as the policy knows them."""
        return self._policy[0].encode_state(obs)

    def forward(self, state: Tensor) -> Tensor:
        """(B, C) → (B, Z)."""
        return self.network(state)

    def fit(self, episodes: Sequence[Tensor], generator: torch.Generator) -> float:
        """Learn from the states (D, C) of some episodes; the last loss."""
        lengths = torch.tensor([len(one) for one in episodes])
        firsts, states = lengths.cumsum(0) - lengths, torch.cat(list(episodes))
        found = 0.0
        for _ in range(self.cfg.updates):
            which = torch.randint(len(episodes), (self.cfg.batch_size,), generator=generator)
            share = torch.rand(2, self.cfg.batch_size, generator=generator)
            one, other = (share * lengths[which]).long()
            apart = (one - other).abs() / lengths.max()
            distance = (self(states[firsts[which] + one]) - self(states[firsts[which] + other])).norm(dim=1)
            loss = (distance - apart).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            found = float(loss.detach())
        return found

    def state(self) -> dict[str, Tensor]:
        """Weights and optimizer."""
        return learner_state("encoder", self, self.optimizer)

    def restore(self, under: Callable[[str], dict[str, Tensor]]) -> None:
        """Put back what `state` gave; `under(prefix)` selects."""
        restore_learner("encoder", self, self.optimizer, under)
