"""What a backbone made of a prompt, once per chunk: the condition of a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from burnish.policies.vlm.backbone import Backbone


@dataclass(frozen=True)
class Prefix:
    """Keys and values of images and instruction in every layer, and the robot's numbers beside them."""

    backbone: Backbone
    keys: tuple[Tensor, ...]
    """Of each layer, (B, heads, L, D), turned by their positions."""
    values: tuple[Tensor, ...]
    seen: Tensor
    """(B, L) bool: not padding."""
    end: Tensor
    """(B,) position of what follows the prompt."""
    state: Tensor
    """(B, C) in network units."""

    def __getitem__(self, rows: Tensor) -> Prefix:
        """Those rows of the batch."""
        keys, values = (tuple(one[rows] for one in layers) for layers in (self.keys, self.values))
        return Prefix(self.backbone, keys, values, self.seen[rows], self.end[rows], self.state[rows])

    def turns(self, count: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines (B, count, D) of the rotary embedding for what follows the prompt."""
        return self.backbone.turns(self._ahead(0, count))

    def read(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Last hidden states (B, S, W) of `tokens` (B, S, W) that follow; `mask` (S, S) bool: which one sees which."""
        return self._through(tokens, mask, self.backbone.cache(self.keys, self.values), 0)

    def reader(self) -> Reader:
        """To read on piece by piece."""
        return Reader(self)

    def _through(self, tokens: Tensor, mask: Tensor, cache: object, begin: int) -> Tensor:
        whole = torch.cat([self.seen[:, None].expand(-1, len(mask), -1), mask.expand(len(tokens), -1, -1)], dim=2)
        return self.backbone.through(tokens, self._ahead(begin, tokens.shape[1])[None], whole, cache)

    def _ahead(self, begin: int, count: int) -> Tensor:
        return self.end[:, None] + torch.arange(begin, begin + count, device=self.end.device)


class Reader:
    """Tokens after a prefix, piece by piece: the keys and values of those before are kept."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix, self._done = prefix, 0
        self._cache = prefix.backbone.cache(prefix.keys, prefix.values)

    def read(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Last hidden states of `tokens` (B, S, W); `mask` (S, done + S) bool: which of them and of those before each
        sees."""
        hidden = self._prefix._through(tokens, mask, self._cache, self._done)
        self._done += tokens.shape[1]
        return hidden
