"""Residual MLP over the flattened chunk: a few large matrix products, which is what two CPU cores do well."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from burnish.policies.networks.denoiser import Denoiser, TimeEmbedding


class MLP(Denoiser):
    """2·`depth` pre-norm residual blocks of 4·`width` units, modulated by the embedding; any horizon."""

    def __init__(self, horizon: int, action_dim: int, condition_dim: int, width: int, depth: int) -> None:
        super().__init__()
        size = 4 * width
        self.embed = TimeEmbedding(condition_dim, size)
        self.into = nn.Linear(horizon * action_dim + condition_dim, size)
        self.blocks = nn.ModuleList(Block(size) for _ in range(2 * depth))
        self.out = nn.Sequential(nn.LayerNorm(size), nn.Linear(size, horizon * action_dim))

    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, H, A) → prediction (B, H, A) and the last features (B, F)."""
        e = self.embed(t, r, condition)
        h = self.into(torch.cat([z.flatten(1), condition], dim=1))
        for block in self.blocks:
            h = block(h, e)
        return self.out(h).view(z.shape), h


class Block(nn.Module):
    """x + W₂ SiLU(W₁ (norm(x)) + W₃ e)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.first = nn.Linear(size, size)
        self.embedding = nn.Linear(size, size, bias=False)
        self.second = nn.Linear(size, size)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """x and e (B, size) → (B, size)."""
        return x + self.second(torch.nn.functional.silu(self.first(self.norm(x)) + self.embedding(e)))
