"""Physical units ↔ network units, by the contract's normalisation mode and the checkpoint's statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract, Field
from burnish.errors import BurnishError

SMALLEST_SCALE = 1e-2
"""Least standard deviation or half range (physical units): a dimension that hardly varied is centred, not blown up."""
SMALLEST_SPREAD = 0.1
"""Whitening's least standard deviation of a direction, as a share of the axes': none is magnified more than tenfold."""
LARGEST_INPUT = 5.0
"""Normalised observations are clipped to ± this: what the data never showed must not saturate the network."""


@dataclass(frozen=True)
class Slots:
    """Where things of one kind stand in a condition: `count` of them in `size` numbers each, from `first` on."""

    first: int
    count: int
    size: int

    def of(self, condition: Tensor) -> Tensor:
        """(…, C) → (…, count, size)."""
        return condition[..., self.first : self.first + self.count * self.size].unflatten(-1, (self.count, self.size))

    def rest(self, condition: Tensor) -> Tensor:
        """(…, C) → (…, C − count · size), all that is in no slot."""
        after = self.first + self.count * self.size
        return torch.cat([condition[..., : self.first], condition[..., after:]], dim=-1)


class Normalizer(nn.Module):
    """Affine maps per contract key, stored as buffers so that they export with the network.

    `slots`: where the field that has some stands in a `condition`, None if there is none.
    """

    low: Tensor
    high: Tensor

    def __init__(self, contract: Contract, stats: Stats) -> None:
        super().__init__()
        self.contract = contract
        numbers = sorted(key for key, field in contract.observation.items() if field.is_number)
        self._keys = [key for key in numbers if key not in contract.looks]
        self.slots = self._find_slots()
        for key in (*numbers, ACTION):
            found = alike(stats[key], contract.fields[key].slots)
            offset, scale = affine(contract.fields[key], found)
            self.register_buffer(f"{_safe(key)}_offset", torch.from_numpy(offset), persistent=False)
            self.register_buffer(f"{_safe(key)}_scale", torch.from_numpy(scale), persistent=False)
            if contract.fields[key].normalization == "whitening":
                if "covariance" not in found:
                    raise BurnishError(f"no covariance of {key!r}, which is to be whitened; compute statistics again")
                matrix = torch.from_numpy(whitening(found["covariance"], scale))
                self.register_buffer(f"{_safe(key)}_whitening", matrix, persistent=False)
        field = contract.action
        inf = np.full(field.shape[-1], np.inf, np.float32)
        self.register_buffer("low", torch.tensor(field.low if field.low else -inf), persistent=False)
        self.register_buffer("high", torch.tensor(field.high if field.high else inf), persistent=False)

    def normalize(self, key: str, value: Tensor) -> Tensor:
        """Physical (…, *shape) to network units."""
        offset, scale = self._maps(key)
        standard = (value - offset) / scale
        if self.contract.fields[key].normalization != "whitening":
            return standard
        return standard @ self.get_buffer(f"{_safe(key)}_whitening")

    def condition(self, obs: Mapping[str, Tensor]) -> Tensor:
        """All numbers observed but points and places, normalised, clipped to ±`LARGEST_INPUT` and joined: (B, C)."""
        parts = [self.normalize(key, obs[key]).flatten(1) for key in self._keys]
        return torch.cat(parts, dim=1).clamp(-LARGEST_INPUT, LARGEST_INPUT)

    @property
    def condition_dim(self) -> int:
        """C, the width of `condition`."""
        return sum(math.prod(self.contract.observation[key].shape) for key in self._keys)

    def action(self, chunk: Tensor) -> Tensor:
        """Network units to physical actions, clipped to the contract's bounds."""
        offset, scale = self._maps(ACTION)
        return torch.minimum(torch.maximum(chunk * scale + offset, self.low), self.high)

    def _find_slots(self) -> Slots | None:
        first = 0
        for key in self._keys:
            field = self.contract.observation[key]
            if field.slots > 1:
                return Slots(first, field.slots, field.shape[0] // field.slots)
            first += math.prod(field.shape)
        return None

    def _maps(self, key: str) -> tuple[Tensor, Tensor]:
        return self.get_buffer(f"{_safe(key)}_offset"), self.get_buffer(f"{_safe(key)}_scale")


def alike(stats: Mapping[str, np.ndarray], slots: int) -> Mapping[str, np.ndarray]:
    """Statistics with which every slot is mapped by the same rule: those of all its slots taken together.

    What is learned of one thing then holds for another in the same place.
    """
    if slots == 1:
        return stats
    found = {"min": _each(stats["min"], slots).min(0), "max": _each(stats["max"], slots).max(0)}
    means = _each(stats["mean"], slots).astype(np.float64)
    found["mean"] = means.mean(0)
    away = means - found["mean"]
    found["std"] = np.sqrt((_each(stats["std"], slots).astype(np.float64) ** 2 + away**2).mean(0))
    found = {key: np.tile(value, slots) for key, value in found.items()}
    if "covariance" in stats:
        size = means.shape[1]
        within = [stats["covariance"][i : i + size, i : i + size] for i in range(0, slots * size, size)]
        both = np.mean(within, axis=0, dtype=np.float64) + away.T @ away / slots
        found["covariance"] = np.kron(np.eye(slots), both)
    return found


def _each(value: np.ndarray, slots: int) -> np.ndarray:
    return value.reshape(slots, -1)


def affine(field: Field, stats: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(offset, scale) with network = (physical − offset) / scale, each of the field's last dimension."""
    if field.normalization in ("mean_std", "whitening"):
        offset, scale = stats["mean"], stats["std"]
    elif field.normalization in ("min_max", "range"):
        bounded = field.normalization == "min_max"
        low = np.asarray(field.low if bounded and field.low is not None else stats["min"])
        high = np.asarray(field.high if bounded and field.high is not None else stats["max"])
        offset, scale = (high + low) / 2, (high - low) / 2
    else:
        offset, scale = np.zeros(field.shape), np.ones(field.shape)
    if field.normalization != "min_max" or field.low is None:
        scale = np.maximum(scale, SMALLEST_SCALE)
    return np.asarray(offset, np.float32), np.asarray(scale, np.float32)


def whitening(covariance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """W (D, D) such that standardised rows times W have variance 1 in every direction that varies enough.

    ZCA, Σ^-½ with the floor `SMALLEST_SPREAD` on the standard deviations: of all whitening maps the one that leaves
    every coordinate closest to itself (Kessy, Lewin, Strimmer 2018, arXiv 1512.00809).
    """
    variances, directions = np.linalg.eigh(covariance.astype(np.float64) / np.outer(scale, scale))
    spread = np.maximum(np.sqrt(np.maximum(variances, 0.0)), SMALLEST_SPREAD)
    return np.asarray((directions / spread) @ directions.T, np.float32)


def _safe(key: str) -> str:
    return key.replace(".", "_")
