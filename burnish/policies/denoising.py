"""Policies that draw a chunk step by step from noise: diffusion, flow and MeanFlow are such short Markov chains."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor

from burnish.policies.base import Policy
from burnish.policies.networks.denoiser import Denoiser
from burnish.policies.trace import Chain, GaussianChain, NoiseConfig


class Denoising(Policy):
    """A chunk is reached in `nfe` steps, each one evaluation of `network`."""

    network: Denoiser

    @abstractmethod
    def advance(self, z: Tensor, k: int, condition: Any) -> Tensor:
        """Where step k = 0 … nfe − 1 leads from `z` (B, H, A), without its noise; the last one to the chunk.

        `condition`: as `network.read` returned it.
        """

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
