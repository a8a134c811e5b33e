"""One action at a time by a multilayer perceptron: regression to imitation, an actor to reinforcement learning.

Angles that the state reports too are commanded as small increments on it: whatever the network says, it asks for no
more than an arm can do until the next action, and what it explores stays near to where it is. What else has bounds is
commanded as a place between them; what has none, as it is. Legs hold themselves by targets that they do not reach, so
theirs are places too: `step` None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.errors import BurnishError
from burnish.policies.base import Batch, Policy, masked_mean
from burnish.policies.normalize import Normalizer
from burnish.policies.senses import SensesConfig

ANGLE = "rad"
"""The unit of what is commanded by increments."""


@dataclass(frozen=True, kw_only=True)
class MLPConfig(SensesConfig):
    """A small network, quick on a CPU."""

    hidden: tuple[int, ...] = (256, 128)
    """Units of each layer."""
    step: float | None = 0.03
    """Largest increment of an angle in one action, rad; None: angles are places between their bounds as well."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hidden or min(self.hidden) < 1 or (self.step is not None and self.step <= 0):
            raise BurnishError(f"hidden {self.hidden} must be layers of 1 or more units, step {self.step} above 0")


class MLP(Policy):
    """a = c + h · clip(f(s), −1, 1): c is the angle now and h the step, or both are the middle and half of a range."""

    name, deterministic = "mlp", True
    Config = MLPConfig

    def __init__(self, config: MLPConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        self.config: MLPConfig = config
        self.horizon, self.nfe = 1, 1
        self._reported = reported(contract)
        self._relative = [
            config.step is not None and place is not None and unit == ANGLE
            for place, unit in zip(self._reported, contract.action.unit, strict=True)
        ]
        action, size = contract.action, contract.action.shape[-1]
        low, high = torch.tensor(action.low or [-1.0] * size), torch.tensor(action.high or [1.0] * size)
        relative = torch.tensor(self._relative)
        self.register_buffer("relative", relative, persistent=False)
        self.register_buffer("middle", (low + high) / 2, persistent=False)
        self.register_buffer("reach", torch.where(relative, config.step or 0.0, (high - low) / 2), persistent=False)
        free = ~relative & torch.tensor(action.low is None)
        self.register_buffer("most", torch.where(free, math.inf, torch.ones(size)), persistent=False)
        self.network = perceptron(super().condition_dim, config.hidden, size)

    relative: Tensor
    """(A,) bool: which numbers are increments."""
    middle: Tensor
    reach: Tensor
    most: Tensor

    @property
    def condition_dim(self) -> int:
        """The centres come before all that is observed."""
        return len(self._reported) + super().condition_dim

    def encode(self, obs: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """The centres (physical units), then what every policy reads."""
        return torch.cat([self.centre(obs), super().encode(obs, generator)], dim=1)

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """(B, 1, A)."""
        centre, seen = self.split(condition)
        return self.normalizer.normalize(ACTION, self.command(centre, self.network(seen)))[:, None]

    def split(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Centres (B, A) and what the network reads (B, F), of `encode`'s result."""
        return condition[:, : len(self._reported)], condition[:, len(self._reported) :]

    def centre(self, obs: Mapping[str, Tensor]) -> Tensor:
        """(B, A) what an output of zero commands, physical units."""
        return self._columns(obs, self._relative)

    def still(self, obs: Mapping[str, Tensor]) -> Tensor:
        """(B, A) the output that commands what is reported now; 0 where nothing is."""
        now = self._columns(obs, [place is not None for place in self._reported])
        return (now - self.centre(obs)) / self.reach

    def _columns(self, obs: Mapping[str, Tensor], wanted: Sequence[bool]) -> Tensor:
        """(B, A) what is reported where that is `wanted`, else the middle."""
        batch = next(iter(obs.values()))
        middle = self.middle + torch.zeros_like(batch.flatten(1)[:, :1])
        columns = [
            obs[place[0]][:, place[1]] if place is not None and wanted[index] else middle[:, index]
            for index, place in enumerate(self._reported)
        ]
        return torch.stack(columns, dim=1)

    def command(self, centre: Tensor, output: Tensor) -> Tensor:
        """(B, A) what the network's `output` (B, A) commands, physical units."""
        return centre + self.reach * torch.minimum(torch.maximum(output, -self.most), self.most)

    def regression(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Its `loss`: steps are so small a part of all actions that these would hardly tell them apart."""
        return self.loss(batch, generator)[0]

    @property
    def stride(self) -> Tensor:
        """Steps, or half ranges."""
        return self.reach

    def renormalize(self, stats: Stats) -> None:
        """Read by other statistics from now on: those of what was observed while it learned by acting."""
        self.stats, device = stats, self.middle.device
        self.normalizer = Normalizer(self.contract, stats).to(device)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error of the network's output, the demonstrated action cut off where the output is."""
        centre, seen = self.split(self.encode(batch, generator))
        shown = ((batch[ACTION][:, 0] - centre) / self.reach).minimum(self.most).maximum(-self.most)
        error = masked_mean((self.network(seen) - shown).square()[:, None], batch).mean()
        return error, {"mse": error.detach()}


def reported(contract: Contract) -> list[tuple[str, int] | None]:
    """Of each entry of the action: the observation, and which of its numbers, that reports the same; or None."""
    known = {
        (name, unit): (key, index)
        for key, field in contract.observation.items()
        if len(field.shape) == 1 and field.is_number
        for index, (name, unit) in enumerate(zip(field.names, field.unit, strict=True))
    }
    return [known.get(entry) for entry in zip(contract.action.names, contract.action.unit, strict=True)]


def perceptron(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Linear layers with ELU between them; its weights have the names that rsl_rl's have."""
    layers: list[nn.Module] = []
    for before, after in pairwise((inputs, *hidden)):
        layers += [nn.Linear(before, after), nn.ELU()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], outputs))
