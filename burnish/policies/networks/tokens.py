"""A transformer over the codes of a chunk: those of a block are predicted together, from all blocks before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from burnish.policies.networks.dit import Block


class BlockCausal(nn.Module):
    """Next-scale prediction (VAR, arXiv 2404.02905); with blocks of one code, ordinary autoregression."""

    mask: Tensor
    levels: Tensor

    def __init__(
        self, blocks: Sequence[int], vocabulary: int, inputs: int, condition_dim: int, width: int, depth: int
    ) -> None:
        """`inputs`: width of what is known before each code. `depth` blocks of `width`."""
        super().__init__()
        self.condition = nn.Sequential(nn.Linear(condition_dim, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.into = nn.Linear(inputs, width)
        levels = torch.repeat_interleave(torch.arange(len(blocks)), torch.tensor(list(blocks)))
        self.level = nn.Embedding(len(blocks), width)
        self.position = nn.Parameter(torch.randn(len(levels), width) * 0.02)
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("mask", levels[:, None] >= levels, persistent=False)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, vocabulary)

    def forward(self, known: Tensor, condition: Tensor) -> Tensor:
        """known (B, L, inputs), condition (B, C) → logits (B, L, V); those of a block see it and all before."""
        e = self.condition(condition)
        h = self.into(known) + self.level(self.levels) + self.position + e[:, None]
        for block in self.blocks:
            h = block(h, e, self.mask)
        return self.out(self.norm(h))

    def reader(self, condition: Tensor) -> Callable[[Tensor, slice], Tensor]:
        """Of what is known before the codes of a block (B, count, inputs), and its places: its logits (B, count, V).

        Blocks are read in order, each once: keys and values of those before are kept.
        """
        e, kept = self.condition(condition), list[Tensor | None]([None] * len(self.blocks))

        def read(known: Tensor, places: slice) -> Tensor:
            h = self.into(known) + self.level(self.levels[places]) + self.position[places] + e[:, None]
            for index, block in enumerate(self.blocks):
                assert isinstance(block, Block)
                before, own = kept[index], block.keep(h, e)
                h = block(h, e, None, before)
                kept[index] = own if before is None else torch.cat([before, own], dim=3)
            return self.out(self.norm(h))

        return read
