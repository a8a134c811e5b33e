"""A causal transformer over instruction → [observation → words]*."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from burnish.policies.networks.steps import Steps, causal


class Interleaved(nn.Module):
    """Predicts each word from all that stands before it; the W words of a decision have vocabularies of their own."""

    allowed: Tensor
    firsts: Tensor
    causal: Tensor

    def __init__(self, sizes: Sequence[int], decisions: int, told: int, seen: int, width: int, depth: int) -> None:
        """
        Args:
            sizes: how many there are of each word.
            decisions: N, in a sequence.
            told, seen: widths of the instruction and of an observation.
        """
        super().__init__()
        self.vocabulary = sum(sizes)
        position = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(list(sizes)))
        self.register_buffer("allowed", position == torch.arange(len(sizes))[:, None], persistent=False)
        self.register_buffer("firsts", torch.tensor([sum(sizes[:i]) for i in range(len(sizes))]), persistent=False)
        self.told = nn.Linear(told + 1, width)  # one more that is always there: not everyone is told something
        self.seen = nn.Sequential(nn.Linear(seen, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.names = nn.Embedding(self.vocabulary, width)
        length = 1 + decisions * (1 + len(sizes))
        self.register_buffer("causal", causal(length), persistent=False)
        self.steps = Steps(width, self.vocabulary, length, width, depth)

    def forward(self, told: Tensor, seen: Tensor, words: Tensor) -> Tensor:
        """(B, I), (B, N, S), (B, N, W) from 0 up → logits (B, N, W, V), −∞ for the names of other words."""
        told = self.told(functional.pad(told, (0, 1), value=1.0))
        tokens = torch.cat([self.seen(seen)[:, :, None], self.names(words + self.firsts)], dim=2)
        row = torch.cat([told[:, None], tokens.flatten(1, 2)], dim=1)
        after = self.steps(row, told, self.causal)[:, 1:].unflatten(1, tokens.shape[1:3])
        return after[:, :, :-1].masked_fill(~self.allowed, -torch.inf)
