"""Dita (arXiv 2410.15959, 2503.19757, section 3): noised actions are denoised in context, beside what is observed.

One causal transformer over state, instruction, patches of images, points, time and noised actions. What is observed
comes first and so never sees time or actions: its keys and values are computed once per chunk (`read`) and serve every
step. The paper's sizes (334 M weights, DINOv2 with a Q-Former, CLIP) are the reader's to choose: `width`, `depth`,
`vision.encoder`, `language`. State and points are tokens here, the paper's robots give images alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from burnish.policies.networks.attention import attend, heads
from burnish.policies.networks.denoiser import Denoiser, Parts, TimeEmbedding, pieces


class Dita(Denoiser):
    """2·`depth` blocks of token width 2·`width`; any horizon, any observation."""

    mask: Tensor

    def __init__(self, horizon: int, action_dim: int, parts: Parts, width: int, depth: int) -> None:
        super().__init__()
        size, seen = 2 * width, sum(count for count, _ in parts.values())
        self.parts, self.seen = parts, seen
        self.into = nn.ModuleDict({name: nn.Linear(numbers, size) for name, (_, numbers) in parts.items()})
        self.time, self.action = TimeEmbedding(0, size), nn.Linear(action_dim, size)
        self.position = nn.Parameter(torch.randn(seen + 1 + horizon, size) * 0.02)
        self.blocks = nn.ModuleList(Block(size) for _ in range(2 * depth))
        self.norm = nn.LayerNorm(size)
        self.out = nn.Linear(size, action_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        everything = torch.ones(len(self.position), len(self.position), dtype=torch.bool)
        self.register_buffer("mask", everything.tril(), persistent=False)

    def read(self, condition: Tensor) -> Tensor:
        """Keys and values of what is observed, in every block: (B, C) → (B, blocks, 2, heads, N, D)."""
        x, read = self.observed(condition), []
        for block in self.blocks:
            x, pair = block(x, self.mask[: self.seen, : self.seen])
            read.append(pair)
        return torch.stack(read, dim=1)

    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, H, A) and what was `read` → prediction (B, H, A) and the mean action token (B, F)."""
        x = self.noised(z, t, r)
        for index, block in enumerate(self.blocks):
            x, _ = block(x, self.mask[self.seen :], condition[:, index])
        h = self.norm(x[:, 1:])
        return self.out(h), h.mean(1)

    def observed(self, condition: Tensor) -> Tensor:
        """The tokens of a condition (B, C): (B, N, size)."""
        tokens = [self.into[name](piece) for name, piece in pieces(condition, self.parts).items()]
        return torch.cat(tokens, dim=1) + self.position[: self.seen]

    def noised(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """The tokens of the times and of z (B, H, A): (B, 1 + H, size)."""
        return torch.cat([self.time(t, r)[:, None], self.action(z)], dim=1) + self.position[self.seen :]


class Block(nn.Module):
    """Causal self-attention and MLP, after layer norm."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv = nn.Linear(size, 3 * size)
        self.project = nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(approximate="tanh"), nn.Linear(4 * size, size))

    def forward(self, x: Tensor, mask: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (B, L, size) → the same, and its keys and values (B, 2, heads, L, D).

        Args:
            before: keys and values of the tokens before x.
            mask: (L, tokens before and x) bool: which sees which.
        """
        q, k, v = heads(self.qkv(self.norm1(x)), 3)
        own = torch.stack([k, v], dim=1)
        k, v = (own if before is None else torch.cat([before, own], dim=3)).unbind(1)
        x = x + self.project(attend(q, k, v, mask))
        return x + self.mlp(self.norm2(x)), own
