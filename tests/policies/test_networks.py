"""Denoisers chosen by config."""

from __future__ import annotations

import pytest
import torch

from burnish.errors import BurnishError
from burnish.policies.networks.denoiser import DenoiserConfig, build_denoiser

STATE = {"state": (1, 5)}
SEEN = {"state": (1, 5), "language": (1, 2), "images": (3, 4), "points": (1, 2), "places": (3, 3)}


@pytest.mark.parametrize(("denoiser", "horizon", "depth"), [
    ("unet", 1, 1), ("unet", 6, 2), ("unet", 8, 3), ("dit", 1, 2), ("dit", 7, 1), ("mlp", 1, 1), ("mlp", 5, 2),
    ("dita", 1, 1), ("dita", 5, 2),
])  # fmt: skip
def test_any_horizon_the_network_promises(denoiser, horizon, depth):
    config = DenoiserConfig(horizon=horizon, replan=1, denoiser=denoiser, width=8, depth=depth)
    network = build_denoiser(config, 3, STATE)
    out, features = network(torch.randn(2, horizon, 3), torch.rand(2), torch.rand(2), network.read(torch.randn(2, 5)))
    assert out.shape == (2, horizon, 3)
    assert features.shape[0] == 2


@pytest.mark.parametrize("denoiser", ["dit", "dita", "actor3d"])
def test_every_part_of_a_condition_counts(denoiser):
    torch.manual_seed(0)
    network = build_denoiser(DenoiserConfig(horizon=4, denoiser=denoiser, width=24), 3, SEEN)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    z, t, condition = torch.randn(1, 4, 3), torch.rand(1), torch.randn(1, 30, requires_grad=True)
    network(z, t, t, network.read(condition))[0].sum().backward()
    assert condition.grad is not None and (condition.grad.abs() > 1e-7).all()


def test_a_horizon_the_unet_cannot_halve_is_refused_with_the_way_out():
    with pytest.raises(BurnishError, match="divisible by 2, not 1; use another denoiser"):
        build_denoiser(DenoiserConfig(horizon=1, replan=1, denoiser="unet", depth=2), 3, STATE)


def test_a_replan_beyond_the_chunk_and_an_unknown_denoiser_are_refused():
    with pytest.raises(BurnishError, match="replan 9 is not between 1 and the horizon 8"):
        build_denoiser(DenoiserConfig(horizon=8, replan=9), 3, STATE)
    with pytest.raises(BurnishError, match="unknown denoiser 'unett'; did you mean 'unet'"):
        build_denoiser(DenoiserConfig(denoiser="unett"), 3, STATE)  # pyright: ignore[reportArgumentType]
