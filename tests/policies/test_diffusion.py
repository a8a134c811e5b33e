"""Diffusion: every prediction type and both samplers recover a known answer, and DDPM is the scheduler's own."""

from __future__ import annotations

import pytest
import torch
from diffusers.schedulers import scheduling_ddpm
from torch import Tensor

from burnish.policies.networks.denoiser import Denoiser

SMALL = {"width": 16, "depth": 1, "horizon": 4, "replan": 2, "steps": 10}


class Oracle(Denoiser):
    """Predicts what leads from z to the single target x."""

    def __init__(self, policy, x: Tensor) -> None:
        super().__init__()
        self.config, self.alphas, self.x = policy.config, policy.scheduler.alphas_cumprod, x

    def forward(self, z: Tensor, t: Tensor, r: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        alpha = self.alphas[(t * self.config.train_steps).round().long()][:, None, None]
        e = (z - alpha.sqrt() * self.x) / (1 - alpha).sqrt()
        answers = {
            "epsilon": e,
            "sample": self.x.expand_as(z),
            "v_prediction": alpha.sqrt() * e - (1 - alpha).sqrt() * self.x,
        }
        return answers[self.config.prediction], condition


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_a_single_target_is_recovered(make, prediction, sampler):
    policy = make("diffusion", **SMALL, prediction=prediction, sampler=sampler)
    x = torch.linspace(-0.9, 0.9, 16).view(4, 4)
    policy.network = Oracle(policy, x)
    noise = torch.randn(5, *policy.noise_shape, generator=torch.Generator().manual_seed(0))
    assert noise.shape[1:] == ((11, 4, 4) if sampler == "ddpm" else (4, 4))
    assert torch.allclose(policy.sample(torch.zeros(5, 9), noise), x.expand(5, 4, 4), atol=1e-4)


@torch.no_grad()
def test_ddpm_is_the_schedulers_own_chain_on_the_same_noise(make, monkeypatch):
    policy = make("diffusion", **SMALL, sampler="ddpm")
    condition, noise = torch.randn(3, 9), torch.randn(3, *policy.noise_shape)
    scheduler = scheduling_ddpm.DDPMScheduler.from_config(policy.scheduler.config)
    scheduler.set_timesteps(policy.config.steps)
    z = noise[:, 0]
    for index, k in enumerate(scheduler.timesteps.tolist()):
        monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, n=noise[:, index + 1], **__: n)
        t = torch.full((3,), k / policy.config.train_steps)
        z = scheduler.step(policy.network(z, t, t, condition)[0], k, z).prev_sample
    assert torch.allclose(policy.sample(condition, noise), z, atol=1e-4)
