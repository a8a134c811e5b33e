"""Rectified flow (arXiv 2209.03003) over action chunks: straight paths from noise to action, K Euler steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.policies.base import Batch, Policy, masked_mean
from burnish.policies.networks.denoiser import DenoiserConfig, build_denoiser


@dataclass(frozen=True)
class FlowConfig(DenoiserConfig):
    """Uniform times, as in the paper."""

    steps: int = 10
    """Euler steps (NFE) at inference."""


class Flow(Policy):
    """z_t = (1 − t) x + t e; the network predicts the velocity e − x; sampling integrates from t = 1 to 0."""

    name = "flow"
    Config = FlowConfig

    def __init__(self, config: FlowConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        self.horizon, self.nfe = config.horizon, config.steps
        self.network = build_denoiser(config, contract.action.shape[-1], self.condition_dim)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """E ‖u(z_t, t) − (e − x)‖² (equation 1)."""
        x = self.normalizer.normalize(ACTION, batch[ACTION])
        e = torch.randn(x.shape, generator=generator, device=x.device)
        t = torch.rand(len(x), generator=generator, device=x.device)
        z = (1 - t[:, None, None]) * x + t[:, None, None] * e
        u, _ = self.network(z, t, t, self.encode(batch, generator))
        loss = masked_mean((u - (e - x)).square(), batch).mean()
        return loss, {"velocity_mse": loss.detach()}

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """`steps` Euler steps of equal length."""
        z, ones = noise, torch.ones_like(condition[:, 0])
        for k in range(self.nfe):
            t = ones * (1 - k / self.nfe)
            z = z - self.network(z, t, t, condition)[0] / self.nfe
        return z
