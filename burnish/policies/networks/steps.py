"""A transformer over the steps of a row, all modulated by one embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from burnish.policies.networks.dit import Block


class Steps(nn.Module):
    """Learned positions, `depth` blocks of `width`; who sees whom is said by a mask."""

    def __init__(self, inputs: int, outputs: int, length: int, width: int, depth: int) -> None:
        super().__init__()
        self.into = nn.Linear(inputs, width)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, outputs)

    def forward(self, x: Tensor, e: Tensor, mask: Tensor) -> Tensor:
        """x (B, T, inputs), e (B, width), mask (T, T) or (B, 1, T, T) bool → (B, T, outputs)."""
        h = self.into(x) + self.position + e[:, None]
        for block in self.blocks:
            h = block(h, e, mask)
        return self.out(self.norm(h))


def causal(length: int) -> Tensor:
    """(T, T) bool: each step sees itself and those before."""
    return torch.ones(length, length, dtype=torch.bool).tril()
