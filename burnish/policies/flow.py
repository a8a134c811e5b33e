"""Rectified flow (arXiv 2209.03003) over action chunks: straight paths from noise to action, K Euler steps.

With `consistency` it is FlowPolicy (arXiv 2412.04987): consistency flow matching (arXiv 2407.02398), one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.errors import BurnishError
from burnish.policies.base import Batch, masked_mean
from burnish.policies.denoising import Denoising
from burnish.policies.networks.denoiser import Denoiser, DenoiserConfig, build_denoiser


@dataclass(frozen=True)
class FlowConfig(DenoiserConfig):
    """Uniform times, as in the papers."""

    steps: int | None = None
    """Euler steps (NFE) at inference; None is 10, or 1 with `consistency`."""
    consistency: bool = False
    """Train for velocities that lead from everywhere on a path to the same end (FlowPolicy)."""
    segments: int = 2
    """With `consistency`: pieces of the time from noise to action, each with an end of its own."""
    delta: float = 0.01
    """With `consistency`: between the two times that are compared."""
    velocity_weight: float = 1e-5
    """With `consistency`: α, of the two velocities' difference."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.segments < 1 or not 0 < self.delta < 1 / self.segments:
            raise BurnishError(f"flow: delta {self.delta} must lie between 0 and a segment of {self.segments}")

    @property
    def nfe(self) -> int:
        """Network evaluations per chunk."""
        return (1 if self.consistency else 10) if self.steps is None else self.steps


class Flow(Denoising):
    """z_t = (1 − t) x + t e; the network predicts the velocity e − x; sampling integrates from t = 1 to 0."""

    name = "flow"
    Config = FlowConfig

    def __init__(self, config: FlowConfig, contract: Contract, stats: Stats, network: Denoiser | None = None) -> None:
        """`network`: of z, t, r and a condition, whatever `encode` gives; None: the one `config` names."""
        super().__init__(config, contract, stats)
        self.config: FlowConfig = config
        self.horizon, self.nfe = config.horizon, config.nfe
        made = build_denoiser(config, contract.action.shape[-1], self.parts) if network is None else network
        self.network = made

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """E ‖u(z_t, t) − (e − x)‖² (equation 1), or the consistency loss."""
        x = self.normalizer.normalize(ACTION, batch[ACTION])
        e = torch.randn(x.shape, generator=generator, device=x.device)
        t = torch.rand(len(x), generator=generator, device=x.device)
        condition = self.network.read(self.encode(batch, generator))
        if self.config.consistency:
            return self._consistency(x, e, t, condition, batch)
        u = self._velocity(_between(x, e, t), t, condition)
        loss = masked_mean((u - (e - x)).square(), batch).mean()
        return loss, {"velocity_mse": loss.detach()}

    def advance(self, z: Tensor, k: int, condition: Tensor) -> Tensor:
        """An Euler step; all are of equal length."""
        t = torch.ones_like(z[:, 0, 0]) * (1 - k / self.nfe)
        return z - self._velocity(z, t, condition) / self.nfe

    @property
    def gradual(self) -> bool:
        """Not with `consistency`: its velocities lead to one end of a path, not to the mean of all."""
        return super().gradual and not self.config.consistency

    def _velocity(self, z: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        return self.network(z, t, t, condition)[0]

    def _consistency(
        self, x: Tensor, e: Tensor, t: Tensor, condition: Tensor, batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """E ‖f(z_t, t) − sg f(z_r, r)‖² + α ‖u(z_t, t) − sg u(z_r, r)‖², with r = t − δ on the same path (FlowPolicy,
        equations 6–8): f = z − (t − s) u leads to the end s of the segment, where it is the path itself.
        """
        segments, delta = self.config.segments, self.config.delta
        end = (torch.ceil(t * segments) - 1).clamp_min(0) / segments
        r = torch.maximum(t - delta, end)
        z_t, z_r, z_end = (_between(x, e, time) for time in (t, r, end))
        u_t = self._velocity(z_t, t, condition)
        with torch.no_grad():
            u_r = self._velocity(z_r, r, condition)
            near = (r - end < delta)[:, None, None]
            target = torch.where(near, z_end, z_r - (r - end)[:, None, None] * u_r)
        error = (z_t - (t - end)[:, None, None] * u_t - target).square()
        change = torch.where(near, 0.0, (u_t - u_r).square())
        loss = masked_mean(error + self.config.velocity_weight * change, batch).mean()
        return loss, {"end_mse": masked_mean(error, batch).mean().detach()}


def _between(x: Tensor, e: Tensor, t: Tensor) -> Tensor:
    return (1 - t[:, None, None]) * x + t[:, None, None] * e
