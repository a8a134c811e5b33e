"""Attention, written out: the fused kernels have no forward-mode derivative, which MeanFlow's target needs."""

from __future__ import annotations

import torch
from torch import Tensor

HEADS = 4


def heads(x: Tensor, count: int) -> tuple[Tensor, ...]:
    """(B, L, count · size) → `count` tensors (B, HEADS, L, size / HEADS)."""
    return x.unflatten(2, (count, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """q (B, HEADS, L, D) to k and v (B, HEADS, M, D) → (B, L, HEADS · D); `mask` (L, M) bool: which sees which."""
    scores = q @ k.transpose(-1, -2) * int(q.shape[-1]) ** -0.5
    weights = torch.softmax(scores if mask is None else scores.masked_fill(~mask, -torch.inf), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)
