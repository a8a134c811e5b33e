"""Action expert: a small transformer that shares the attention of a large one (π0, arXiv 2410.24164, section IV;
SmolVLA, arXiv 2506.01844, section 3).

Layer i has weights of its own and attends to the backbone's keys and values of its layer i, made once per chunk, and to
its own action tokens. Time and state modulate every layer, as in the DiT.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from burnish.policies.networks.denoiser import Denoiser, TimeEmbedding
from burnish.policies.networks.dit import Block
from burnish.policies.vlm.prefix import Prefix


@dataclass(frozen=True)
class Attention:
    """Sizes of a language model's attention, which the expert's must have to share it."""

    layers: int
    heads: int
    shared: int
    """Heads of keys and values; each serves heads / shared heads of queries."""
    width: int
    """Of one head."""


@dataclass(frozen=True)
class Memory:
    """What one layer of the expert attends to, and how its own tokens are turned."""

    keys: Tensor
    """(B, shared, L, width), as `values`."""
    values: Tensor
    hidden: Tensor
    """(B, 1, 1, L) bool: padding."""
    turns: tuple[Tensor, Tensor]
    """Cosines and sines, each (B, 1, H, width)."""


class Expert(Denoiser):
    """One token per action; a network of z, t, r whose condition is a `Prefix`."""

    def __init__(self, horizon: int, action_dim: int, state_dim: int, width: int, attention: Attention) -> None:
        super().__init__()
        self.embed = TimeEmbedding(state_dim, width)
        self.into = nn.Linear(action_dim, width)
        self.position = nn.Parameter(torch.randn(horizon, width) * 0.02)
        self.blocks = nn.ModuleList(SharedBlock(width, attention) for _ in range(attention.layers))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.out = nn.Linear(width, action_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Prefix) -> tuple[Tensor, Tensor]:
        """z (B, H, A) → prediction (B, H, A) and the mean last token (B, F)."""
        e = self.embed(t, r, condition.state)
        h = self.into(z) + self.position + e[:, None]
        cos, sin = (one[:, None] for one in condition.turns(z.shape[1]))
        hidden = ~condition.seen[:, None, None]
        for block, keys, values in zip(self.blocks, condition.keys, condition.values, strict=True):
            h = block(h, e, before=Memory(keys.to(h.dtype), values.to(h.dtype), hidden, (cos, sin)))
        h = self.norm(h)
        return self.out(h), h.mean(1)


class SharedBlock(Block):
    """A block of the DiT whose queries also see the backbone's keys."""

    def __init__(self, size: int, attention: Attention) -> None:
        super().__init__(size)
        self._sizes = attention
        heads, shared, width = attention.heads, attention.shared, attention.width
        self.qkv = nn.Linear(size, (heads + 2 * shared) * width)
        self.project = nn.Linear(heads * width, size)

    def gather(self, x: Tensor, mask: Tensor | None, before: Memory) -> Tensor:
        """Also from the backbone's keys and values."""
        # The backbone's keys are not joined to ours: they have no tangent to carry.
        sizes, memory = self._sizes, before
        batch, length, _ = x.shape
        parts = self.qkv(x).view(batch, length, -1, sizes.width).transpose(1, 2)
        q, k, v = parts.split([sizes.heads, sizes.shared, sizes.shared], dim=1)
        q, k = turn(q, *memory.turns), turn(k, *memory.turns)
        q = q.reshape(batch, sizes.shared, -1, sizes.width) * sizes.width**-0.5
        theirs = (q @ memory.keys.transpose(-1, -2)).masked_fill(memory.hidden, -torch.inf)
        weights = torch.softmax(torch.cat([theirs, q @ k.transpose(-1, -2)], dim=-1), dim=-1)
        seen, own = weights.split([theirs.shape[-1], length], dim=-1)
        found = (seen @ memory.values + own @ v).view(batch, sizes.heads, length, sizes.width)
        return found.transpose(1, 2).flatten(2)


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding (RoFormer, arXiv 2104.09864) as `transformers` computes it: halves, not pairs."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
