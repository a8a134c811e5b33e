"""Statistics of everything observed so far, as `compute_stats` gives them of a dataset."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract, Field
from burnish.sim.base import Obs

PARTS = ("sum", "square", "min", "max")


class Moments:
    """Sums over all rows given to `add`, in float64: observations that are vectors of numbers, and the action."""

    def __init__(self, contract: Contract, device: torch.device | str = "cpu") -> None:
        self._fields = {key: field for key, field in contract.fields.items() if field.is_number}
        self._sums: dict[str, Tensor] = {}
        for key, field in self._fields.items():
            size = field.shape[-1]
            empty = torch.zeros(size, dtype=torch.float64, device=device)
            square = torch.zeros(size, size, dtype=torch.float64, device=device)
            parts = {"sum": empty, "square": square, "min": empty + torch.inf, "max": empty - torch.inf}
            self._sums |= {f"{key}/{name}": value for name, value in parts.items()}
        self._sums["count"] = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, obs: Obs, action: Tensor) -> None:
        """Rows (N, …), physical units."""
        self._sums["count"] += len(action)
        for key in self._fields:
            rows = (action if key == ACTION else obs[key]).double()
            for name, found in (("sum", rows.sum(0)), ("square", rows.T @ rows)):
                self._sums[f"{key}/{name}"] += found
            for name, most in (("min", torch.minimum), ("max", torch.maximum)):
                self._sums[f"{key}/{name}"] = most(self._sums[f"{key}/{name}"], getattr(rows, f"a{name}")(0))

    def stats(self) -> Stats:
        """As a checkpoint keeps them."""
        found: Stats = {}
        count = float(self._sums["count"])
        if not count:
            return {key: _nothing(field) for key, field in self._fields.items()}
        for key, field in self._fields.items():
            total, square, low, high = (self._sums[f"{key}/{part}"].cpu().numpy() for part in PARTS)
            mean = total / count
            covariance = square / count - np.outer(mean, mean)
            deviation = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
            numbers = {"mean": mean, "std": deviation, "min": low, "max": high}
            if field.normalization == "whitening":
                numbers["covariance"] = covariance
            found[key] = {name: part.astype(np.float32) for name, part in numbers.items()}
            found[key]["count"] = np.array(int(count))
        return found

    def state(self) -> dict[str, Tensor]:
        """What `restore` needs."""
        return dict(self._sums)

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        device = self._sums["count"].device
        self._sums = {name: saved[name].to(device) for name in self._sums}


def _nothing(field: Field) -> dict[str, np.ndarray]:
    """Before anything was observed: mean 0, variance 1."""
    numbers = {"mean": 0.0, "std": 1.0, "min": -1.0, "max": 1.0}
    found = {name: np.full(field.shape, value, np.float32) for name, value in numbers.items()}
    return found | {"covariance": np.eye(field.shape[-1], dtype=np.float32), "count": np.array(0)}
