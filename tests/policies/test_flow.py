"""Rectified flow: straight paths are integrated exactly."""

from __future__ import annotations

import pytest
import torch

from burnish.errors import BurnishError
from burnish.policies.networks.denoiser import Denoiser


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_a_single_target_is_hit_with_any_number_of_steps(make, steps):
    """All data at x: the velocity at (z, t) is (z − x) / t, and Euler follows the straight line without error."""
    policy = make("flow", width=16, depth=1, horizon=4, replan=2, steps=steps)
    x = torch.linspace(-0.9, 0.9, 16).view(4, 4)

    class Exact(Denoiser):
        def forward(self, z, t, r, condition):
            assert torch.equal(t, r)
            return (z - x) / t[:, None, None], condition

    policy.network = Exact()
    noise = torch.randn(5, 4, 4)
    assert torch.allclose(policy.sample(torch.zeros(5, 9), noise), x.expand(5, 4, 4), atol=1e-5)
    assert policy.nfe == steps


class Straight(Denoiser):
    """The exact velocity where all data are at `x`."""

    def __init__(self, x):
        super().__init__()
        self.x = x

    def forward(self, z, t, r, condition):
        return torch.where(t[:, None, None] > 0, (z - self.x) / t[:, None, None].clamp_min(1e-9), 0.0), condition


def test_consistency_is_content_with_straight_paths_and_takes_one_step(make):
    x = torch.linspace(-0.9, 0.9, 16).view(4, 4)
    policy = make("flow", width=16, depth=1, horizon=4, replan=2, consistency=True)
    assert policy.nfe == 1
    policy.network = Straight(x)
    action = policy.normalizer.action(x.expand(64, 4, 4))
    obs = {key: torch.zeros(64, *field.shape) for key, field in policy.contract.observation.items()}
    loss, metrics = policy.loss({**obs, "action": action}, torch.Generator().manual_seed(0))
    assert metrics["end_mse"] < 1e-10
    assert loss < 1e-9
    assert torch.allclose(policy.sample(torch.zeros(5, 9), torch.randn(5, 4, 4)), x.expand(5, 4, 4), atol=1e-5)


def test_consistency_compares_with_what_gets_no_gradient_and_refuses_an_impossible_distance(make):
    policy = make("flow", width=16, depth=1, horizon=4, replan=2, consistency=True)
    obs = {key: torch.randn(32, *field.shape) for key, field in policy.contract.observation.items()}
    batch = {**obs, "action": policy.normalizer.action(torch.rand(32, 4, 4) - 0.5)}
    loss, _ = policy.loss(batch, torch.Generator().manual_seed(0))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in policy.network.parameters())
    with pytest.raises(BurnishError, match=r"delta 0\.5 must lie between 0 and a segment of 2"):
        make("flow", consistency=True, delta=0.5)
