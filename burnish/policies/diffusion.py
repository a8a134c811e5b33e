"""Diffusion Policy (arXiv 2303.04137) with ε, x0 or v prediction; the schedules are `diffusers`'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.policies.base import Batch, Policy, masked_mean
from burnish.policies.networks.denoiser import DenoiserConfig, build_denoiser


@dataclass(frozen=True)
class DiffusionConfig(DenoiserConfig):
    """DP3's defaults: 100 training steps, DDIM with 10 at inference."""

    prediction: Literal["epsilon", "sample", "v_prediction"] = "epsilon"
    sampler: Literal["ddim", "ddpm"] = "ddim"
    train_steps: int = 100
    steps: int = 10
    """Denoising steps (NFE) at inference."""


class Diffusion(Policy):
    """Denoises a chunk in `steps` steps; every random number of DDPM comes in with `noise`."""

    name = "diffusion"
    Config = DiffusionConfig

    def __init__(self, config: DiffusionConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        from diffusers import DDIMScheduler, DDPMScheduler

        self.config: DiffusionConfig = config
        self.horizon, self.nfe = config.horizon, config.steps
        schedule: dict[str, Any] = {
            "num_train_timesteps": config.train_steps,
            "beta_schedule": "squaredcos_cap_v2",
            "prediction_type": config.prediction,
            "clip_sample": True,
        }
        samplers = {"ddim": DDIMScheduler, "ddpm": DDPMScheduler}
        self.scheduler = samplers[config.sampler](**schedule)
        self.scheduler.set_timesteps(config.steps)
        self.network = build_denoiser(config, contract.action.shape[-1], self.normalizer.condition_dim)
        self.register_buffer("alphas", self.scheduler.alphas_cumprod.clone(), persistent=False)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """DDIM starts from one draw (H, A); DDPM adds one per step: (steps + 1, H, A)."""
        one = (self.horizon, self.contract.action.shape[-1])
        return (self.nfe + 1, *one) if self.config.sampler == "ddpm" else one

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error of the prediction at a uniformly drawn training step."""
        x = self.normalizer.normalize(ACTION, batch[ACTION])
        e = torch.randn(x.shape, generator=generator, device=x.device)
        k = torch.randint(self.config.train_steps, (len(x),), generator=generator, device=x.device)
        signal, noise = self._scales(k)
        prediction = self._predict(signal * x + noise * e, k, self.normalizer.condition(batch))
        targets = {"epsilon": e, "sample": x, "v_prediction": signal * e - noise * x}
        loss = masked_mean((prediction - targets[self.config.prediction]).square(), batch).mean()
        return loss, {"denoising_mse": loss.detach()}

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """The reverse chain of the DDIM (η = 0) or DDPM scheduler, written out so that it exports."""
        stochastic = self.config.sampler == "ddpm"
        z = noise[:, 0] if stochastic else noise
        timesteps = self.scheduler.timesteps.tolist()
        for index, k in enumerate(timesteps):
            steps = torch.full_like(condition[:, 0], k, dtype=torch.long)
            x0, e = self._estimates(z, steps, self._predict(z, steps, condition))
            previous = k - self.config.train_steps // self.config.steps
            z = self._step(z, x0, e, k, previous, noise[:, index + 1] if stochastic else None)
        return z

    def _step(self, z: Tensor, x0: Tensor, e: Tensor, k: int, previous: int, noise: Tensor | None) -> Tensor:
        now, before = self._alpha(k), self._alpha(previous)
        if noise is None:
            return before.sqrt() * x0 + (1 - before).sqrt() * e
        # DDPM posterior (arXiv 2006.11239, equations 6 and 7), variance "fixed_small".
        ratio = now / before
        mean = before.sqrt() * (1 - ratio) / (1 - now) * x0 + ratio.sqrt() * (1 - before) / (1 - now) * z
        if previous < 0:
            return mean
        return mean + ((1 - before) / (1 - now) * (1 - ratio)).clamp_min(1e-20).sqrt() * noise

    def _alpha(self, k: int) -> Tensor:
        return self.alphas[k] if k >= 0 else torch.ones_like(self.alphas[0])

    def _scales(self, k: Tensor) -> tuple[Tensor, Tensor]:
        alpha = self.alphas[k][:, None, None]
        return alpha.sqrt(), (1 - alpha).sqrt()

    def _predict(self, z: Tensor, k: Tensor, condition: Tensor) -> Tensor:
        t = k.to(z.dtype) / self.config.train_steps
        return self.network(z, t, t, condition)[0]

    def _estimates(self, z: Tensor, k: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """(x0 clipped to [-1, 1], ε) from whatever the network predicts."""
        signal, noise = self._scales(k)
        if self.config.prediction == "epsilon":
            x0 = (z - noise * prediction) / signal
        elif self.config.prediction == "sample":
            x0 = prediction
        else:
            x0 = signal * z - noise * prediction
        x0 = x0.clamp(-1.0, 1.0)
        return x0, (z - signal * x0) / noise
