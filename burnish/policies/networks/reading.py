"""How a sequence of decisions takes in its instruction and what it saw: one clause after the other, or all at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from burnish.policies.networks.looking import Looking
from burnish.policies.normalize import Slots

ABSENT = -1e4
"""Score of a clause that is not there; finite, so that gradients are."""


class AtOnce(nn.Module):
    """The instruction as the sequence's first token, and one token per observation."""

    def __init__(self, told: int, seen: int, width: int) -> None:
        super().__init__()
        self.told = nn.Linear(told + 1, width)  # one more that is always there: not everyone is told something
        self.seen = nn.Sequential(nn.Linear(seen, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, told: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, I), (B, N, S) → first token (B, width), observations (B, N, width)."""
        return self.told(functional.pad(told.flatten(1), (0, 1), value=1.0)), self.seen(seen)


class InTurn(nn.Module):
    """Whose turn it is, of the clauses, each decides by what it sees; an observation is what that clause sees.

    Neither the other clauses nor the slots they name reach the sequence, so that whoever has learned each clause alone
    does them in any combination.
    """

    def __init__(self, clauses: int, told: int, seen: int, slots: Slots, width: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(width))
        self.look = Looking(slots, seen, told, width)
        self.seen = nn.Sequential(nn.Linear(self.look.features, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.score = nn.Linear(width, 1)
        self.order = nn.Parameter(torch.zeros(clauses))

    def forward(self, told: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """As `AtOnce`; a clause that is not there is all zeros."""
        count, clauses = told.shape[:2]
        looked = self.look(seen.repeat_interleave(clauses, dim=0), told.flatten(0, 1))
        views = self.seen(looked).unflatten(0, (count, clauses))
        there = told.abs().amax(dim=2, keepdim=True) > 0
        there[:, 0] = True
        scores = (self.score(views)[..., 0] + self.order[:, None]).masked_fill(~there, ABSENT)
        turn = scores.softmax(dim=1)[..., None]
        return self.first.expand(count, -1), (turn * views).sum(dim=1)
