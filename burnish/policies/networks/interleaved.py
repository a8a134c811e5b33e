"""A causal transformer over instruction → [observation → words]*."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from burnish.policies.networks.steps import Steps, causal


class Interleaved(nn.Module):
    """Predicts each word from all that stands before it; the W words of a decision have vocabularies of their own."""

    allowed: Tensor
    firsts: Tensor
    causal: Tensor

    def __init__(self, sizes: Sequence[int], decisions: int, reading: nn.Module, width: int, depth: int) -> None:
        """
        Args:
            sizes: how many there are of each word.
            decisions: N, in a sequence.
            reading: `AtOnce` or `InTurn`.
        """
        super().__init__()
        self.vocabulary = sum(sizes)
        position = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(list(sizes)))
        self.register_buffer("allowed", position == torch.arange(len(sizes))[:, None], persistent=False)
        self.register_buffer("firsts", torch.tensor([sum(sizes[:i]) for i in range(len(sizes))]), persistent=False)
        self.reading = reading
        self.names = nn.Embedding(self.vocabulary, width)
        length = 1 + decisions * (1 + len(sizes))
        self.register_buffer("causal", causal(length), persistent=False)
        self.steps = Steps(width, self.vocabulary, length, width, depth)

    def forward(self, told: Tensor, seen: Tensor, words: Tensor) -> Tensor:
        """(B, K, I), (B, N, S), (B, N, W) from 0 up → logits (B, N, W, V), −∞ for the names of other words."""
        first, seen = self.reading(told, seen)
        tokens = torch.cat([seen[:, :, None], self.names(words + self.firsts)], dim=2)
        row = torch.cat([first[:, None], tokens.flatten(1, 2)], dim=1)
        after = self.steps(row, first, self.causal)[:, 1:].unflatten(1, tokens.shape[1:3])
        return after[:, :, :-1].masked_fill(~self.allowed, -torch.inf)
