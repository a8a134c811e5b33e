"""The discrete cosine transform of action chunks along time, orthonormal (DCT-II), and bands of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def dct_matrix(horizon: int) -> Tensor:
    """D (H, H) float32 with D Dᵀ = 1: row k is the cosine of k half periods per chunk."""
    time = (torch.arange(horizon, dtype=torch.float64) + 0.5) * math.pi / horizon
    rows = torch.cos(torch.arange(horizon, dtype=torch.float64)[:, None] * time) * math.sqrt(2.0 / horizon)
    rows[0] /= math.sqrt(2.0)
    return rows.float()


def low_pass(horizon: int, share: float) -> Tensor:
    """(H, 1) of 0 and 1: the lowest `share` of the frequencies, at least the mean."""
    kept = max(1, round(horizon * share))
    return (torch.arange(horizon) < kept).float()[:, None]
