"""Finite scalar quantisation (arXiv 2309.15505): each number of a short vector is rounded to one of a few levels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError

_MARGIN = 1e-3
"""So much farther than the last level features may reach; with less, two levels would be one."""


class FSQ(nn.Module):
    """Features (…, D) ↔ values (…, D) within ±1 ↔ digits (…, D), 0 … L_d − 1 ↔ one index (…), 0 … ΠL_d − 1.

    No codebook is learned, so none can collapse.
    """

    levels: Tensor
    reach: Tensor
    offset: Tensor
    shift: Tensor
    width: Tensor
    place: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        """`levels`: L_d, of each number. Raises `BurnishError` where there is nothing to tell apart."""
        super().__init__()
        if not levels or min(levels) < 2:
            raise BurnishError(f"levels {tuple(levels)}: every number needs 2 levels or more, e.g. 8 8 8 6 5")
        self.codes = math.prod(levels)
        count = torch.tensor(list(levels))
        reach = (count - 1) * (1 + _MARGIN) / 2
        # An even number of levels lies around −½, so that 0 is one of them (section 3.1).
        offset = torch.where(count % 2 == 0, 0.5, 0.0)
        place = torch.cat([torch.ones(1, dtype=torch.long), count.cumprod(0)[:-1]])
        parts = {"levels": count, "reach": reach, "offset": offset, "shift": torch.atanh(offset / reach)}
        for name, part in {**parts, "width": count // 2, "place": place}.items():
            self.register_buffer(name, part, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """The nearest values; their gradient goes straight through the rounding."""
        bounded = torch.tanh(features + self.shift) * self.reach - self.offset
        return (bounded + (bounded.round() - bounded).detach()) / self.width

    def digits(self, values: Tensor) -> Tensor:
        """Which level each of the `values` is, int64."""
        return (values * self.width).round().long() + self.width

    def values(self, digits: Tensor) -> Tensor:
        """The inverse of `digits`."""
        return (digits - self.width) / self.width

    def index(self, digits: Tensor) -> Tensor:
        """One number for all digits: the code."""
        return (digits * self.place).sum(-1)

    def from_index(self, index: Tensor) -> Tensor:
        """The inverse of `index`."""
        return index[..., None] // self.place % self.levels
