"""Diffusion Policy (arXiv 2303.04137) with ε, x0 or v prediction; schedules and steps are `diffusers`'."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.policies.base import Batch, masked_mean
from burnish.policies.denoising import Denoising
from burnish.policies.networks.denoiser import DenoiserConfig, build_denoiser


@dataclass(frozen=True)
class DiffusionConfig(DenoiserConfig):
    """DP3's defaults: 100 training steps, DDIM with 10 at inference."""

    prediction: Literal["epsilon", "sample", "v_prediction"] = "epsilon"
    sampler: Literal["ddim", "ddpm"] = "ddim"
    train_steps: int = 100
    steps: int = 10
    """Denoising steps (NFE) at inference."""


class Diffusion(Denoising):
    """Denoises a chunk in `steps` steps; every random number comes in with `noise`."""

    name = "diffusion"
    Config = DiffusionConfig
    limit = 1.0

    def __init__(self, config: DiffusionConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler

        self.config: DiffusionConfig = config
        self.horizon, self.nfe = config.horizon, config.steps
        # Actions are in [-1, 1] by min-max normalisation, so the estimate of x0 is clipped there. "trailing" starts
        # at the last training step, the only one that looks like pure noise (arXiv 2305.08891).
        self.scheduler = DDIMScheduler(
            num_train_timesteps=config.train_steps,
            beta_schedule="squaredcos_cap_v2",
            prediction_type=config.prediction,
            clip_sample=True,
            clip_sample_range=self.limit,
            timestep_spacing="trailing",
        )
        self.scheduler.set_timesteps(config.steps)
        self._times: list[int] = self.scheduler.timesteps.tolist()
        self.network = build_denoiser(config, contract.action.shape[-1], self.parts)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """DDIM starts from one draw (H, A); DDPM adds one per step: (steps + 1, H, A)."""
        one = (self.horizon, self.contract.action.shape[-1])
        return (self.nfe + 1, *one) if self.config.sampler == "ddpm" else one

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error of the prediction at a uniformly drawn training step (section 2.2)."""
        x = self.normalizer.normalize(ACTION, batch[ACTION])
        e = torch.randn(x.shape, generator=generator, device=x.device)
        k = torch.randint(self.config.train_steps, (len(x),), generator=generator, device=x.device)
        z = self.scheduler.add_noise(x, e, k)  # pyright: ignore[reportArgumentType]
        target = self._target(x, e, k)
        prediction = self._predict(z, k.to(x.dtype), self.network.read(self.encode(batch, generator)))
        loss = masked_mean((prediction - target).square(), batch).mean()
        return loss, {"denoising_mse": loss.detach()}

    def advance(self, z: Tensor, k: int, condition: Tensor) -> Tensor:
        """A step of DDIM (arXiv 2010.02502) with η = 0, or the mean of one with η = 1, DDPM's ancestral sampling."""
        step = self._times[k]
        stochastic = self.config.sampler == "ddpm"
        return self.scheduler.step(
            self._predict(z, torch.full_like(z[:, 0, 0], step), condition),
            step,
            z,
            eta=float(stochastic),
            use_clipped_model_output=True,
            variance_noise=torch.zeros_like(z) if stochastic else None,
            return_dict=False,
        )[0]

    def level(self, k: int) -> tuple[float, float]:
        """√ᾱ and √(1 − ᾱ) of the step's training step."""
        alpha = float(self.scheduler.alphas_cumprod[self._times[k]]) if k < self.nfe else 1.0
        return math.sqrt(alpha), math.sqrt(1 - alpha)

    def deviation(self, k: int) -> float:
        """σ_k of DDPM (arXiv 2010.02502, equation 16); 0 after the last step, and of DDIM."""
        step = self._times[k]
        before = step - self.config.train_steps // self.nfe
        if self.config.sampler == "ddim" or before < 0:
            return 0.0
        now, then = (float(self.scheduler.alphas_cumprod[time]) for time in (step, before))
        return math.sqrt((1 - then) / (1 - now) * (1 - now / then))

    def _target(self, x: Tensor, e: Tensor, k: Tensor) -> Tensor:
        if self.config.prediction == "epsilon":
            return e
        if self.config.prediction == "sample":
            return x
        return self.scheduler.get_velocity(x, e, k)  # pyright: ignore[reportArgumentType]

    def _predict(self, z: Tensor, k: Tensor, condition: Tensor) -> Tensor:
        t = k / self.config.train_steps
        return self.network(z, t, t, condition)[0]
