"""The one line of config that chooses a denoiser, shared by every generative policy."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError
from burnish.policies.senses import Reading, SensesConfig

Parts = Mapping[str, tuple[int, int]]
"""What a condition (B, C) is made of, in order: name → how many tokens, and of how many numbers each."""


@dataclass(frozen=True)
class DenoiserConfig(SensesConfig):
    """What MeanFlow, flow and diffusion share: chunk length, replanning and the network."""

    horizon: int = 32
    """Actions per chunk."""
    replan: int | None = None
    """Actions executed before the next chunk; None is a quarter of it. What lies beyond is learned, but not trusted."""
    denoiser: Literal["unet", "dit", "mlp", "dita", "actor3d"] = "mlp"
    """`mlp` is the fastest on a CPU and enough for state observations and short chunks; `dita` reads patches of
    images, instruction and state in context, `actor3d` also where in the world the patches are."""
    width: int = 64
    """Channels of the first UNet level, half a transformer's token width, or a quarter of the MLP's."""
    depth: int = 1
    """UNet levels, half a transformer's blocks, or half the MLP's residual blocks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.horizon < 1:
            raise BurnishError(f"horizon {self.horizon}: a chunk has at least one action")
        if self.replan is not None and not 1 <= self.replan <= self.horizon:
            raise BurnishError(f"replan {self.replan} is not between 1 and the horizon {self.horizon}; set both")

    @property
    def reads(self) -> Reading:
        """As the denoiser does."""
        known: dict[str, Reading] = {"dita": "patches", "actor3d": "places"}
        return known.get(self.denoiser, "vector")


class Denoiser(nn.Module, ABC):
    """What predicts a noise, a velocity or a chunk."""

    def read(self, condition: Tensor) -> Tensor:
        """The condition (B, C) as `forward` takes it (B, …): all of the work that depends on nothing else, done once
        for all steps of a chunk.
        """
        return condition

    @abstractmethod
    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, H, A), times t and r (B,), what `read` returned → prediction (B, H, A) and features (B, F)."""


def build_denoiser(config: DenoiserConfig, action_dim: int, parts: Parts) -> Denoiser:
    """The network `config` names. Raises `BurnishError` for an unknown name or a horizon it cannot do."""
    from burnish.policies.networks.actor3d import Actor3D
    from burnish.policies.networks.dit import DiT
    from burnish.policies.networks.dita import Dita
    from burnish.policies.networks.mlp import MLP
    from burnish.policies.networks.unet import UNet1d
    from burnish.registry import unknown

    of_vectors, in_context = {"unet": UNet1d, "dit": DiT, "mlp": MLP}, {"dita": Dita, "actor3d": Actor3D}
    if config.denoiser in in_context:
        return in_context[config.denoiser](config.horizon, action_dim, parts, config.width, config.depth)
    if config.denoiser not in of_vectors:
        raise unknown("denoiser", config.denoiser, [*of_vectors, *in_context])
    condition_dim = sum(count * size for count, size in parts.values())
    return of_vectors[config.denoiser](config.horizon, action_dim, condition_dim, config.width, config.depth)


def pieces(condition: Tensor, parts: Parts) -> dict[str, Tensor]:
    """The parts of a condition (B, C) by name: (B, tokens, numbers)."""
    cut = condition.split([count * numbers for count, numbers in parts.values()], dim=1)
    return {name: piece.unflatten(1, parts[name]) for name, piece in zip(parts, cut, strict=True)}


class TimeEmbedding(nn.Module):
    """Sinusoids of the two times, joined with the condition and mixed by an MLP: (B,), (B,), (B, C) → (B, width).

    With a `condition_dim` of 0 there is none.
    """

    frequency: Tensor

    def __init__(self, condition_dim: int, width: int, frequencies: int = 16) -> None:
        super().__init__()
        exponent = torch.linspace(0.0, math.log(30.0), frequencies)
        self.register_buffer("frequency", exponent.exp(), persistent=False)
        self.mix = nn.Sequential(
            nn.Linear(4 * frequencies + condition_dim, 2 * width), nn.SiLU(), nn.Linear(2 * width, width), nn.SiLU()
        )

    def forward(self, t: Tensor, r: Tensor, *condition: Tensor) -> Tensor:
        """The embedding that modulates every layer."""
        angles = torch.cat([t[:, None] * self.frequency, (t - r)[:, None] * self.frequency], dim=1)
        return self.mix(torch.cat([angles.sin(), angles.cos(), *condition], dim=1))
