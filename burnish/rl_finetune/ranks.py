"""Whether an estimate orders things as the truth does."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's ρ; 0 where there are fewer than two, or all of one are equal."""
    ranks = torch.tensor([_ranks(one), _ranks(other)])
    if len(one) < 2 or (ranks.std(1) == 0).any():
        return 0.0
    return float(torch.corrcoef(ranks)[0, 1])


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(other < value for other in values) + sum(other == value for other in values) / 2 for value in values]
