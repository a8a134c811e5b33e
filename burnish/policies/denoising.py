"""Policies that draw a chunk step by step from noise: diffusion, flow and MeanFlow are such short Markov chains."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

from torch import Tensor

from burnish.policies.base import Policy
from burnish.policies.networks.denoiser import Denoiser
from burnish.policies.realtime import Guided, Nearest, RealTime, RealTimeConfig
from burnish.policies.trace import Chain, GaussianChain, NoiseConfig


class Denoising(Policy):
    """A chunk is reached in `nfe` steps, each one evaluation of `network`."""

    network: Denoiser
    limit: float = math.inf
    """Largest magnitude of the chunk that a step goes by, network units."""

    @abstractmethod
    def advance(self, z: Tensor, k: int, condition: Any) -> Tensor:
        """Where step k = 0 … nfe − 1 leads from `z` (B, H, A), without its noise; the last one to the chunk.

        `condition`: as `network.read` returned it.
        """

    @property
    def gradual(self) -> bool:
        """Whether each of several steps goes by the mean of all chunks that z may come from, E[x | z]."""
        return self.nfe > 1

    def level(self, k: int) -> tuple[float, float]:
        """(a, b) of z = a x + b e before step k, e ~ N(0, 1); after the last one (1, 0). Straight unless overridden."""
        return k / self.nfe, 1 - k / self.nfe

    def deviation(self, k: int) -> float:
        """Standard deviation of the noise that `sample` adds after step k, network units; 0 where it draws only the
        beginning."""
        return 0.0

    def sample(self, condition: Any, noise: Tensor) -> Tensor:
        """All steps. `noise` (B, H, A) is the beginning; (B, nfe + 1, H, A) also that of every step."""
        every = noise.ndim == 4
        z, condition = noise[:, 0] if every else noise, self.network.read(condition)
        for k in range(self.nfe):
            z = self.advance(z, k, condition)
            if every:
                z = z + self.deviation(k) * noise[:, k + 1]
        return z

    def chain(self, noise: NoiseConfig, told: Policy | None = None) -> Chain:
        """See `Policy.chain`."""
        return GaussianChain(told or self, self, noise)

    def realtime(self, config: RealTimeConfig, told: Policy | None = None) -> RealTime:
        """See `Policy.realtime`: guided on its way, where there is one."""
        kind = Guided if self.gradual else Nearest
        return kind(told or self, self, config)
