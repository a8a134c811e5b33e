"""World models in whose latent space SRPO measures progress: a video model, or one of time learned from the rollouts.

In the second, two observations of one episode are as far apart as the steps between them, so that straight lines lead
towards where successful episodes ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from burnish.policies.base import Policy
from burnish.policies.optimizers import learner_state, restore_learner
from burnish.rl_finetune.episodes import Episode


class World(Protocol):
    """What tells how far episodes came."""

    film: int
    """Pixels per side of the frames it looks at; 0 for none."""

    def fit(self, episodes: Sequence[Episode], generator: torch.Generator) -> None:
        """Learn from what was played, if it learns at all."""
        ...

    def start(self, one: Episode) -> Tensor:
        """(1, C) what is known of its beginning, to be kept."""
        ...

    def end(self, one: Episode) -> Tensor:
        """(1, C) what is known of how it went, to be kept."""
        ...

    def way(self, one: Episode) -> Tensor:
        """(N, C) from its beginning to its end, N ≥ 2, evenly spaced."""
        ...

    def latent(self, known: Tensor) -> Tensor:
        """(B, C) → (B, Z) as the world stands now."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs."""
        ...

    def restore(self, under: Callable[[str], dict[str, Tensor]]) -> None:
        """Put it back; `under(prefix)` selects."""
        ...


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

    film = 0

    @torch.no_grad()
    def start(self, one: Episode) -> Tensor:
        """The first observation, numbers and instruction, as the policy knows them."""
        return self._policy[0].encode_state({key: value[:1] for key, value in one.obs.items()})

    @torch.no_grad()
    def end(self, one: Episode) -> Tensor:
        """The last one."""
        return self._policy[0].encode_state(one.last)

    @torch.no_grad()
    def way(self, one: Episode) -> Tensor:
        """Every observation at which it decided, and the last one."""
        return torch.cat([self._policy[0].encode_state(one.obs), self.end(one)])

    @torch.no_grad()
    def latent(self, known: Tensor) -> Tensor:
        """φ."""
        return self.network(known)

    def fit(self, episodes: Sequence[Episode], generator: torch.Generator) -> None:
        """Learn from pairs of each episode's observations."""
        with torch.no_grad():
            self.learn([self._policy[0].encode_state(one.obs) for one in episodes], generator)

    @torch.enable_grad()
    def learn(self, episodes: Sequence[Tensor], generator: torch.Generator) -> float:
        """From the states (D, C) of some episodes; the last loss."""
        lengths = torch.tensor([len(one) for one in episodes])
        firsts, states = lengths.cumsum(0) - lengths, torch.cat(list(episodes))
        found = 0.0
        for _ in range(self.cfg.updates):
            which = torch.randint(len(episodes), (self.cfg.batch_size,), generator=generator)
            share = torch.rand(2, self.cfg.batch_size, generator=generator)
            one, other = (share * lengths[which]).long()
            apart = (one - other).abs() / lengths.max()
            there, here = (self.network(states[firsts[which] + index]) for index in (one, other))
            loss = ((there - here).norm(dim=1) - apart).square().mean()
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
