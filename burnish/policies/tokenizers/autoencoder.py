"""One-dimensional convolutions between a chunk of actions and a few places of features, a branch per kind of number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from burnish.contract import Field

GRIPPER = "gripper"


def groups_of(action: Field) -> dict[str, list[int]]:
    """Dimensions by what they move: `gripper` by name, `rotation` by unit, `translation` is the rest; none is empty."""
    groups: dict[str, list[int]] = {}
    for index, (name, unit) in enumerate(zip(action.names, action.unit, strict=True)):
        kind = GRIPPER if GRIPPER in name else "rotation" if unit.startswith("rad") else "translation"
        groups.setdefault(kind, []).append(index)
    return groups


class Encoder(nn.Module):
    """(B, H, A) → (B, C, places): a branch per group, halved in time until it fits, then fused."""

    def __init__(self, groups: dict[str, list[int]], horizon: int, places: int, width: int, features: int) -> None:
        super().__init__()
        self._groups = list(groups.values())
        self.branches = nn.ModuleList(_branch(len(group), width, horizon, places) for group in self._groups)
        self.fuse = nn.Sequential(
            *(nn.Conv1d(width * len(groups), 2 * width, 3, padding=1), nn.SiLU()),
            nn.Conv1d(2 * width, features, 1),
        )

    def forward(self, chunk: Tensor) -> Tensor:
        """Features of a chunk in network units."""
        rows = chunk.transpose(1, 2)
        parts = [branch(rows[:, group]) for branch, group in zip(self.branches, self._groups, strict=True)]
        return self.fuse(torch.cat(parts, dim=1))


class Decoder(nn.Module):
    """(B, C, places) → (B, H, A) and the gripper's logits (B, H, G): closed or open are two classes."""

    def __init__(self, groups: dict[str, list[int]], horizon: int, places: int, width: int, features: int) -> None:
        super().__init__()
        self.hand = groups.get(GRIPPER, [])
        self.arm = [index for kind, group in groups.items() if kind != GRIPPER for index in group]
        order = [*self.arm, *self.hand]
        self._back = [order.index(index) for index in range(len(order))]
        self.spread = nn.Sequential(
            nn.Conv1d(features, 2 * width, 3, padding=1), nn.SiLU(), *_grow(width, horizon, places)
        )
        self.out = nn.Conv1d(2 * width, len(order), 3, padding=1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The chunk in network units, every number within ±1, and logits."""
        rows = self.out(self.spread(features)).transpose(1, 2)
        arm, logits = rows.split([len(self.arm), len(self.hand)], dim=2)
        return torch.cat([arm, logits.sigmoid() * 2.0 - 1.0], dim=2)[:, :, self._back], logits


def _branch(inputs: int, width: int, horizon: int, places: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv1d(inputs, width, 3, padding=1), nn.SiLU()]
    while horizon > places:
        layers += [nn.Conv1d(width, width, 4, stride=2, padding=1), nn.SiLU()]
        horizon //= 2
    return nn.Sequential(*layers)


def _grow(width: int, horizon: int, places: int) -> Sequence[nn.Module]:
    layers: list[nn.Module] = []
    while places < horizon:
        layers += [nn.ConvTranspose1d(2 * width, 2 * width, 4, stride=2, padding=1), nn.SiLU()]
        places *= 2
    return layers
