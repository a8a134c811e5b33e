"""Point clouds to features: DP3's encoder (arXiv 2403.03954), or one with neighbourhoods as in PointNet++."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError

CENTRES, NEIGHBOURS = 64, 16
"""Neighbourhoods of a cloud, and points of each."""


@dataclass(frozen=True)
class PointsConfig:
    """How a policy reads points. Without points in its contract, none of this matters."""

    encoder: Literal["mlp", "neighbours"] = "mlp"
    """`mlp`: each point by itself, then the largest of every feature (DP3, MP1). `neighbours`: first each of 64 points
    with the 16 nearest ones (PointNet++, arXiv 1706.02413)."""
    features: int = 64
    """Numbers per cloud."""
    width: int = 64
    """Of the first layer; the next ones are two and four times as wide."""

    def __post_init__(self) -> None:
        if self.features < 1 or self.width < 1:
            raise BurnishError(f"points: features {self.features} and width {self.width} must be 1 or more")


class Points(nn.Module):
    """A cloud (B, N, 3) in network units to (B, `features`), whatever the order of its points, but for `neighbours`,
    whose centres are the first ones: those of `burnish.points.sample` are far apart."""

    def __init__(self, config: PointsConfig, count: int) -> None:
        """`count`: N. Raises `BurnishError` for an unknown encoder, or a cloud too small for it."""
        super().__init__()
        self.features = config.features
        width = config.width
        if config.encoder == "neighbours":
            if count < CENTRES:
                raise BurnishError(f"points: the encoder 'neighbours' needs {CENTRES} points or more, not {count}")
            self.near: Neighbourhoods | None = Neighbourhoods(width)
            inputs = width + 3
        elif config.encoder == "mlp":
            self.near, inputs = None, 3
        else:
            raise BurnishError(f"points: unknown encoder {config.encoder!r}; known: 'mlp', 'neighbours'")
        self.each = layers(inputs, width, 2 * width, 4 * width)
        self.out = nn.Sequential(nn.Linear(4 * width, config.features), nn.LayerNorm(config.features))

    def forward(self, cloud: Tensor) -> Tensor:
        """(B, N, 3) → (B, features)."""
        points = cloud if self.near is None else self.near(cloud)
        return self.out(self.each(points).amax(1))


class Neighbourhoods(nn.Module):
    """Around each of the first `CENTRES` points its nearest ones, relative to it: (B, N, 3) → (B, CENTRES, 3 + F)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.each = layers(3, width, width)

    def forward(self, cloud: Tensor) -> Tensor:
        """Centres with the largest of every feature of their neighbours."""
        centres = cloud[:, :CENTRES]
        away = (centres[:, :, None] - cloud[:, None]).square().sum(-1)
        nearest = away.topk(NEIGHBOURS, largest=False).indices.flatten(1)
        found = cloud.gather(1, nearest[:, :, None].expand(-1, -1, 3)).unflatten(1, (CENTRES, NEIGHBOURS))
        return torch.cat([centres, self.each(found - centres[:, :, None]).amax(2)], dim=2)


def layers(*sizes: int) -> nn.Sequential:
    """Linear, layer norm and ReLU from each size to the next, as in DP3."""
    return nn.Sequential(*(nn.Sequential(nn.Linear(i, o), nn.LayerNorm(o), nn.ReLU()) for i, o in pairwise(sizes)))
