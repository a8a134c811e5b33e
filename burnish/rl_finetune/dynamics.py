"""What a decision leads to, learned from data: an ensemble in which to try a policy without the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from burnish.rl_finetune.decisions import Decisions
from burnish.rl_finetune.iql import Iql


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
            self.members = _Members(cfg.members, states + actions, cfg.hidden, states + 1)
        self.scale = torch.ones(states)
        self.optimizer = torch.optim.AdamW(self.parameters(), cfg.lr, weight_decay=1e-4, fused=True)

    def fit(self, data: Decisions, replan: int, generator: torch.Generator) -> float:
        """Learn from all but a few of `data`, each member from draws of its own; the elites' error on those few."""
        order = torch.randperm(len(data), generator=generator)
        kept = data.rows(order[: max(1, int(self.cfg.held_out * len(data)))])
        learned = data.rows(order[len(kept) :])
        self.scale = (data.next_state - data.state).std(0).clamp_min(1e-3)
        for _ in range(self.cfg.updates):
            which = torch.randint(len(learned), (self.cfg.members, self.cfg.batch_size), generator=generator)
            loss = self._errors(learned.rows(which.flatten()), replan).sum()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        with torch.no_grad():
            errors = self._errors(kept.rows(torch.arange(len(kept)).repeat(self.cfg.members)), replan)
        self.elites = errors.argsort()[: self.cfg.elites].tolist()
        return float(errors[self.elites].mean())

    @torch.no_grad()
    def step(self, state: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Next states (B, C) and the chance (B,) that the episode has ended in success, each by a random elite."""
        known = torch.cat([state, action.flatten(1)], dim=1)
        every = self.members(known.expand(self.cfg.members, -1, -1))[self.elites]
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

    def _errors(self, batch: Decisions, replan: int) -> Tensor:
        """(members,) of a batch in which each member has as many rows of its own, one after the other."""
        known = torch.cat([batch.state, batch.action[:, :replan].flatten(1)], dim=1)
        found = self.members(known.unflatten(0, (self.cfg.members, -1))).flatten(0, 1)
        change = (batch.next_state - batch.state) / self.scale
        # Where an episode ended the next state is none.
        error = torch.where(batch.final, 0.0, (found[:, :-1] - change).square().mean(1))
        ends = nn.functional.binary_cross_entropy_with_logits(found[:, -1], batch.final.float(), reduction="none")
        return (error + ends).unflatten(0, (self.cfg.members, -1)).mean(1)


class _Members(nn.Module):
    """Networks of the same shape side by side, as batched products: (M, B, inputs) → (M, B, outputs)."""

    def __init__(self, members: int, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        sizes = [(inputs, hidden), (hidden, hidden), (hidden, outputs)]
        self.weights = nn.ParameterList(torch.empty(members, i, o).uniform_(-(i**-0.5), i**-0.5) for i, o in sizes)
        self.biases = nn.ParameterList(torch.zeros(members, 1, o) for _, o in sizes)

    def forward(self, x: Tensor) -> Tensor:
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if layer < 2:
                x = nn.functional.silu(nn.functional.layer_norm(x, x.shape[-1:]))
        return x
