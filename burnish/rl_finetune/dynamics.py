"""What a decision leads to, learned from data: an ensemble in which to try a policy without the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from burnish.rl_finetune.decisions import Decisions
from burnish.rl_finetune.iql import Iql, mlp


@dataclass(frozen=True)
class DynamicsConfig:
    """The ensemble (MOPO's sizes, arXiv 2005.13239, as RL-100 has them) and how it is asked."""

    members: int = 7
    elites: int = 5
    """Those that predict held-out decisions best."""
    hidden: int = 128
    lr: float = 1e-3
    batch_size: int = 256
    updates: int = 1_500
    held_out: float = 0.1
    imagined: int = 256
    """Starts of imagined episodes."""
    horizon: int = 20
    """Decisions of each."""


class Dynamics(nn.Module):
    """Each member predicts the change of the state, in standard deviations, and whether the episode ends in success."""

    def __init__(self, states: int, actions: int, cfg: DynamicsConfig, seed: int) -> None:
        super().__init__()
        self.cfg, self.elites = cfg, list(range(cfg.elites))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.members = nn.ModuleList(mlp(states + actions, cfg.hidden, states + 1) for _ in range(cfg.members))
        self.scale = torch.ones(states)
        self.optimizer = torch.optim.AdamW(self.parameters(), cfg.lr, weight_decay=1e-4, fused=True)

    def fit(self, data: Decisions, replan: int, generator: torch.Generator) -> float:
        """Learn from all but a few of `data`, each member from draws of its own; the elites' error on those few."""
        order = torch.randperm(len(data), generator=generator)
        kept = data.rows(order[: max(1, int(self.cfg.held_out * len(data)))])
        learned = data.rows(order[len(kept) :])
        self.scale = (data.next_state - data.state).std(0).clamp_min(1e-3)
        for _ in range(self.cfg.updates):
            total = torch.zeros(())
            for member in self.members:
                which = torch.randint(len(learned), (self.cfg.batch_size,), generator=generator)
                total = total + self._errors(member, learned.rows(which), replan).mean()
            self.optimizer.zero_grad()
            total.backward()
            self.optimizer.step()
        with torch.no_grad():
            errors = torch.stack([self._errors(member, kept, replan).mean() for member in self.members])
        self.elites = errors.argsort()[: self.cfg.elites].tolist()
        return float(errors[self.elites].mean())

    @torch.no_grad()
    def step(self, state: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Next states (B, C) and the chance (B,) that the episode has ended in success, each by a random elite."""
        known = torch.cat([state, action.flatten(1)], dim=1)
        every = torch.stack([self.members[index](known) for index in self.elites])
        which = torch.randint(len(self.elites), (len(state),), generator=generator)
        picked = every[which, torch.arange(len(state))]
        return state + picked[:, :-1] * self.scale, picked[:, -1].sigmoid()

    @torch.no_grad()
    def estimate(
        self, decide: Callable[[Tensor, torch.Generator], Tensor], starts: Tensor, critic: Iql, seed: int
    ) -> float:
        """Ĵ: mean over imagined episodes of Σ Q(s_t, a_t), what is ended by success going on with value 1 (RL-100,
        section 4.3: AM-Q).

        Args:
            decide: states (B, C) → executed actions (B, replan, A).
            seed: the same for policies that are to be compared.
        """
        generator = torch.Generator().manual_seed(seed)
        state = starts[torch.randint(len(starts), (self.cfg.imagined,), generator=generator)]
        going, total = torch.ones(len(state)), torch.zeros(len(state))
        for _ in range(self.cfg.horizon):
            action = decide(state, generator)
            total = total + going * critic.value(state, action) + (1 - going)
            state, ended = self.step(state, action, generator)
            going = going * (1 - ended)
        return float(total.mean()) / self.cfg.horizon

    def _errors(self, member: nn.Module, batch: Decisions, replan: int) -> Tensor:
        found = member(torch.cat([batch.state, batch.action[:, :replan].flatten(1)], dim=1))
        change = (batch.next_state - batch.state) / self.scale
        # Where an episode ended the next state is none.
        error = torch.where(batch.final, 0.0, (found[:, :-1] - change).square().mean(1))
        ends = nn.functional.binary_cross_entropy_with_logits(found[:, -1], batch.final.float(), reduction="none")
        return error + ends
