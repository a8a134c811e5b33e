"""Looking at those of several things that matter, which what is asked for alone decides.

Attention over slots (as of arXiv 2006.15055, here given by the contract) whose weights do not depend on what is in
them: what was asked for looks at the same slots in every situation, also in one that training never showed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from burnish.policies.normalize import Slots

HEADS = 2
"""Things looked at together."""


class Looking(nn.Module):
    """What stands in no slot, and what the slots looked at have in them: `features` numbers. Without slots, all."""

    def __init__(self, slots: Slots | None, condition: int, asked: int, width: int) -> None:
        """
        Args:
            condition: width of what is observed.
            asked: width of what is asked for.
            width: of a slot's features.
        """
        super().__init__()
        self.slots, self.features = slots, condition
        if slots is not None:
            self.features = condition - slots.count * slots.size + HEADS * width
            self.which = nn.Linear(asked, HEADS * slots.count)
            self.name = nn.Parameter(torch.randn(slots.count, width) * 0.02)
            self.into, self.out = nn.Linear(slots.size, width), nn.Linear(width, width)

    def forward(self, condition: Tensor, asked: Tensor) -> Tensor:
        """Observed (B, N, C) and asked for (B, A) → (B, N, `features`)."""
        if self.slots is None:
            return condition
        weights = self.which(asked).unflatten(-1, (HEADS, self.slots.count)).softmax(dim=-1)
        things = self.out(nn.functional.silu(self.into(self.slots.of(condition)) + self.name))
        looked = torch.einsum("bhk,bnkw->bnhw", weights, things).flatten(2)
        return torch.cat([self.slots.rest(condition), looked], dim=-1)
