"""Rectified flow: straight paths are integrated exactly."""

from __future__ import annotations

import pytest
import torch
from torch import nn


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_a_single_target_is_hit_with_any_number_of_steps(make, steps):
    """All data at x: the velocity at (z, t) is (z − x) / t, and Euler follows the straight line without error."""
    policy = make("flow", width=16, depth=1, horizon=4, replan=2, steps=steps)
    x = torch.linspace(-0.9, 0.9, 16).view(4, 4)

    class Exact(nn.Module):
        def forward(self, z, t, r, condition):
            assert torch.equal(t, r)
            return (z - x) / t[:, None, None], condition

    policy.network = Exact()
    noise = torch.randn(5, 4, 4)
    assert torch.allclose(policy.sample(torch.zeros(5, 9), noise), x.expand(5, 4, 4), atol=1e-5)
    assert policy.nfe == steps
