"""Diffusion transformer over action tokens with adaptive layer norm (DiT, arXiv 2212.09748, section 3.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from burnish.policies.networks.attention import attend, heads
from burnish.policies.networks.denoiser import Denoiser, TimeEmbedding


class DiT(Denoiser):
    """One token per action, 2·`depth` blocks of token width 2·`width`, adaLN-zero conditioning; any horizon."""

    def __init__(self, horizon: int, action_dim: int, condition_dim: int, width: int, depth: int) -> None:
        super().__init__()
        size = 2 * width
        self.embed = TimeEmbedding(condition_dim, size)
        self.into = nn.Linear(action_dim, size)
        self.position = nn.Parameter(torch.randn(horizon, size) * 0.02)
        self.blocks = nn.ModuleList(Block(size) for _ in range(2 * depth))
        self.norm = nn.LayerNorm(size, elementwise_affine=False)
        self.out = nn.Linear(size, action_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, H, A) → prediction (B, H, A) and the mean last token (B, F)."""
        e = self.embed(t, r, condition)
        h = self.into(z) + self.position + e[:, None]
        for block in self.blocks:
            h = block(h, e)
        h = self.norm(h)
        return self.out(h), h.mean(1)


class Block(nn.Module):
    """Self-attention and MLP, each scaled, shifted and gated by the embedding."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(size, elementwise_affine=False)
        self.qkv = nn.Linear(size, 3 * size)
        self.project = nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(approximate="tanh"), nn.Linear(4 * size, size))
        self.modulate = nn.Linear(size, 6 * size)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, e: Tensor, mask: Tensor | None = None, before: Any = None) -> Tensor:
        """x (B, H, size), e (B, size) → (B, H, size).

        Args:
            mask: (H, H) bool: which token sees which.
            before: of what all of them see besides; here keys and values (B, 2, heads, N, D).
        """
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulate(e)[:, None].chunk(6, dim=2)
        x = x + gate1 * self.project(self.gather(self.norm1(x) * (1 + scale1) + shift1, mask, before))
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)

    def keep(self, x: Tensor, e: Tensor) -> Tensor:
        """Keys and values (B, 2, heads, H, D) of x, as `before` of what comes after it."""
        shift, scale = self.modulate(e)[:, None].chunk(6, dim=2)[:2]
        _, k, v = heads(self.qkv(self.norm1(x) * (1 + scale) + shift), 3)
        return torch.stack([k, v], dim=1)

    def gather(self, x: Tensor, mask: Tensor | None, before: Any) -> Tensor:
        """What the attention of every token finds (B, H, heads · D); arguments as of `forward`."""
        q, k, v = heads(self.qkv(x), 3)
        if before is not None:
            k, v = torch.cat([before, torch.stack([k, v], dim=1)], dim=3).unbind(1)
        return attend(q, k, v, mask)
