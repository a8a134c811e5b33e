"""MeanFlow: an action chunk in one network evaluation (MP1, arXiv 2507.10543; MeanFlow, arXiv 2505.13447).

The network predicts the *average* velocity u(z, t, r) between times r and t, so a = e − u(e, t=1, r=0).
Unlike the released code of MP1 there is no classifier-free guidance here: it trains without condition dropout.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.policies.base import Batch, masked_mean
from burnish.policies.denoising import Denoising
from burnish.policies.networks.denoiser import Denoiser, DenoiserConfig, build_denoiser


@dataclass(frozen=True)
class MeanFlowConfig(DenoiserConfig):
    """MP1's defaults."""

    flow_ratio: float = 0.5
    """Share of a batch with r = t, where the target is the instantaneous velocity."""
    time_mean: float = -0.4
    time_std: float = 1.0
    """(t, r) are two sorted draws of sigmoid(N(mean, std²))."""
    prior_std: float | None = None
    """The network starts from the exact answer for actions that are normal with this standard deviation (network
    units) and learns the difference; None: from nothing, so that it has to learn first to take the noise away."""
    dispersive_weight: float = 0.0
    """Weight of the dispersive loss on the bottleneck features (MP1: 0.5 with point clouds)."""
    dispersive_temperature: float = 1.0


class MeanFlow(Denoising):
    """One-step generative policy."""

    name = "meanflow"
    Config = MeanFlowConfig

    def __init__(
        self, config: MeanFlowConfig, contract: Contract, stats: Stats, network: Denoiser | None = None
    ) -> None:
        """`network`: of z, t, r and a condition, whatever `encode` gives; None: the one `config` names."""
        super().__init__(config, contract, stats)
        self.config: MeanFlowConfig = config
        self.horizon, self.nfe = config.horizon, 1
        made = build_denoiser(config, contract.action.shape[-1], self.parts) if network is None else network
        self.network = made

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """w · ‖u − sg(v − (t − r) du/dt)‖² with w = (δ² + 1e-3)^-½ (MP1, equations 6–8)."""
        x = self.normalizer.normalize(ACTION, batch[ACTION])
        condition = self.network.read(self.encode(batch, generator))
        e = torch.randn(x.shape, generator=generator, device=x.device)
        t, r = self.times(len(x), generator, x.device)
        z = (1 - t[:, None, None]) * x + t[:, None, None] * e
        v = e - x
        u, features = self.velocity(z, t, r, condition)
        error = masked_mean((u - self.target(z, t, r, v, condition)).square(), batch)
        loss = (error / (error.detach() + 1e-3).sqrt()).mean()
        metrics = {"velocity_mse": error.mean().detach()}
        if self.config.dispersive_weight:
            spread = dispersive_loss(features, self.config.dispersive_temperature)
            loss = loss + self.config.dispersive_weight * spread
            metrics["dispersive"] = spread.detach()
        return loss, metrics

    def times(self, count: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
        """t ≥ r, each (count,): logit-normal, and equal in `flow_ratio` of them."""
        draws = torch.randn(2, count, generator=generator, device=device) * self.config.time_std + self.config.time_mean
        t, r = draws.sigmoid().amax(0), draws.sigmoid().amin(0)
        equal = torch.rand(count, generator=generator, device=device) < self.config.flow_ratio
        return t, torch.where(equal, t, r)

    @torch.no_grad()
    def target(self, z: Tensor, t: Tensor, r: Tensor, v: Tensor, condition: Tensor) -> Tensor:
        """v − (t − r) du/dt (B, H, A); no gradient passes through it, and where r = t the derivative does not count."""
        apart = (t > r).nonzero()[:, 0]
        target = v.clone()
        target[apart] -= (t - r)[apart, None, None] * self.derivative(*(x[apart] for x in (z, t, r, v, condition)))
        return target

    def derivative(self, z: Tensor, t: Tensor, r: Tensor, v: Tensor, condition: Tensor) -> Tensor:
        """du/dt (B, H, A), the total derivative of u(z, t, r) along the flow: forward mode, tangents (v, 1, 0)."""

        def network(z: Tensor, t: Tensor, r: Tensor) -> Tensor:
            return self.velocity(z, t, r, condition)[0]

        tangents = (v, torch.ones_like(t), torch.zeros_like(r))
        return torch.func.jvp(network, (z, t, r), tangents)[1]  # pyright: ignore[reportReturnType]

    def advance(self, z: Tensor, k: int, condition: Tensor) -> Tensor:
        """a = e − u(e, t=1, r=0): the only step. There k of `normal_velocity` is 1 − std."""
        ones = torch.ones_like(z[:, 0, 0])
        u, _ = self.network(z, ones, torch.zeros_like(ones), condition)
        std = self.config.prior_std
        return (z if std is None else std * z) - u

    def velocity(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """u(z, t, r) (B, H, A) and features (B, F)."""
        u, features = self.network(z, t, r, condition)
        if self.config.prior_std is not None:
            u = u + normal_velocity(t, r, self.config.prior_std)[:, None, None] * z
        return u, features


def normal_velocity(t: Tensor, r: Tensor, std: float) -> Tensor:
    """k with u(z, t, r) = k z, the exact average velocity where x ~ N(0, std²); all (B,).

    The flow scales z by s(τ)² = τ² + (1 − τ)² std², so k = (1 − s(r) / s(t)) / (t − r); here without the 0 / 0.
    """
    variance = std**2

    def scale(time: Tensor) -> Tensor:
        return (time.square() + (1 - time).square() * variance).sqrt()

    return ((t + r) * (1 + variance) - 2 * variance) / (scale(t) * (scale(t) + scale(r)))


def dispersive_loss(features: Tensor, temperature: float) -> Tensor:
    """log mean exp(−D²/τ) over all pairs of a batch (B, F): pushes features apart (MP1, equation 10)."""
    distances = torch.cdist(features, features).square() / features.shape[1]
    return torch.logsumexp(-distances.flatten() / temperature, 0) - 2 * torch.log(torch.tensor(float(len(features))))
