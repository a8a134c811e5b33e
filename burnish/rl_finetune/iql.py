"""Values of decisions learned from data alone: implicit Q-learning (IQL, arXiv 2110.06169)."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from burnish.rl_finetune.decisions import Decisions


@dataclass(frozen=True)
class IqlConfig:
    """Critics of decisions."""

    expectile: float = 0.7
    """τ: how far V lies towards the best of what was done."""
    gamma: float = 0.995
    """Per environment step."""
    tau: float = 0.005
    hidden: int = 256
    lr: float = 3e-4
    batch_size: int = 256
    updates: int = 3_000
    """Before the first round, and half as many before each later one."""


class Iql(nn.Module):
    """Two Q heads of a state and the actions executed until the next decision, their slow copies, and V."""

    def __init__(self, states: int, actions: int, cfg: IqlConfig, seed: int) -> None:
        super().__init__()
        self.cfg = cfg
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.q = nn.ModuleList(mlp(states + actions, cfg.hidden, 1) for _ in range(2))
            self.v = mlp(states, cfg.hidden, 1)
        self.target = copy.deepcopy(self.q).requires_grad_(False)
        learned = [*self.q.parameters(), *self.v.parameters()]
        self.optimizer = torch.optim.AdamW(learned, cfg.lr, weight_decay=1e-4, fused=True)

    def fit(self, data: Decisions, replan: int, updates: int, generator: torch.Generator) -> float:
        """Gradient steps on `data`; the last loss."""
        found = 0.0
        for _ in range(updates):
            loss = self.loss(data.rows(torch.randint(len(data), (self.cfg.batch_size,), generator=generator)), replan)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(list(self.target.parameters()), list(self.q.parameters()), self.cfg.tau)
            found = float(loss.detach())
        return found

    def loss(self, batch: Decisions, replan: int) -> Tensor:
        """E L₂^τ(min Q̄(s, a) − V(s)) + Σ E (r + γⁿ V(s') − Q(s, a))² (equations 5 and 6)."""
        known = torch.cat([batch.state, batch.action[:, :replan].flatten(1)], dim=1)
        with torch.no_grad():
            ahead = torch.where(batch.final, 0.0, self.v(batch.next_state)[:, 0])
            goal = (batch.reward + self.cfg.gamma ** batch.steps.float() * ahead).clamp(0, 1)
        gap = self.value(batch.state, batch.action[:, :replan]) - self.v(batch.state)[:, 0]
        weight = torch.where(gap > 0, self.cfg.expectile, 1 - self.cfg.expectile)
        return (weight * gap.square()).mean() + sum((head(known)[:, 0] - goal).square().mean() for head in self.q)

    @torch.no_grad()
    def value(self, state: Tensor, action: Tensor) -> Tensor:
        """min Q (B,) of states (B, C) and executed actions (B, replan, A)."""
        known = torch.cat([state, action.flatten(1)], dim=1)
        return torch.minimum(*(head(known)[:, 0] for head in self.target))

    @torch.no_grad()
    def advantage(self, state: Tensor, action: Tensor) -> Tensor:
        """Q − V (B,)."""
        return self.value(state, action) - self.v(state)[:, 0]


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers with layer norm."""
    return nn.Sequential(
        *(nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.SiLU()),
        *(nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.SiLU()),
        nn.Linear(hidden, outputs),
    )
