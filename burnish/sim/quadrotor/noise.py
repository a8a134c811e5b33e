"""Random numbers that are a function of a seed and a count alone, for N lanes at once (Salmon et al., SC 2011).

A lane's numbers never depend on its neighbours, and nothing of the generator has to be remembered.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

GOLDEN, FIRST, SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
"""SplitMix64's constants (Steele, Lea and Flood, OOPSLA 2014) as signed numbers: int64 wraps as uint64 does."""
SALT = 1 << 40
"""Between the streams of one seed; a stream is shorter."""


def bits(seed: Tensor, count: Tensor | int, rows: int) -> Tensor:
    """(rows, N) int64, all 64 bits random: numbers `count` … of the stream that `seed` (N,) int64 names."""
    place = torch.arange(rows, device=seed.device)[:, None] + count
    mixed = seed + GOLDEN * (place + 1)
    mixed = (mixed ^ _right(mixed, 30)) * FIRST
    mixed = (mixed ^ _right(mixed, 27)) * SECOND
    return mixed ^ _right(mixed, 31)


def uniform(seed: Tensor, count: Tensor | int, rows: int) -> Tensor:
    """(rows, N) float32 in [0, 1)."""
    return _right(bits(seed, count, rows), 40).float() * 2**-24


def normal(seed: Tensor, count: Tensor | int, rows: int) -> Tensor:
    """(rows, N) float32, standard normal (Box and Muller); `rows` is even."""
    drawn = bits(seed, count, rows // 2)
    radius = torch.sqrt(-2 * torch.log((_right(drawn, 40).float() + 0.5) * 2**-24))
    angle = (drawn & 0xFFFFFF).float() * (2 * math.pi * 2**-24)
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)])


def _right(value: Tensor, places: int) -> Tensor:
    """Shifted without its sign."""
    return (value >> places) & ((1 << (64 - places)) - 1)
