"""Denoisers chosen by config."""

from __future__ import annotations

import pytest
import torch

from burnish.errors import BurnishError
from burnish.policies.networks.denoiser import DenoiserConfig, build_denoiser
from burnish.policies.networks.looking import Looking
from burnish.policies.networks.reading import InTurn
from burnish.policies.normalize import Slots

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


SLOTS = Slots(first=2, count=3, size=4)
"""Of a condition of 15: two numbers, three things, one more number."""


@torch.no_grad()
def test_who_does_not_ask_for_a_thing_does_not_see_it():
    look = Looking(SLOTS, 15, 2, 8)
    look.which.weight.zero_()
    look.which.bias.copy_(torch.tensor([50.0, 0, 0, 0, 0, 50.0]))  # one head per thing: the first and the last
    seen, asked = torch.randn(2, 5, 15), torch.randn(2, 2)
    found = look(seen, asked)
    assert found.shape == (2, 5, look.features)
    for slot, seen_by in ((0, True), (1, False), (2, True)):
        other = seen.clone()
        other[..., 2 + 4 * slot : 6 + 4 * slot] += 1.0
        assert torch.equal(look(other, asked), found) != seen_by
    assert torch.equal(found[..., :3], torch.cat([seen[..., :2], seen[..., 14:]], -1))


@torch.no_grad()
def test_a_clause_whose_turn_it_is_not_is_not_heard_and_neither_is_one_that_is_missing():
    torch.manual_seed(0)
    reading = InTurn(3, 2, 15, SLOTS, 8)
    told, seen = torch.randn(1, 3, 2), torch.randn(1, 4, 15)
    told[:, 2] = 0.0  # two clauses
    reading.order.copy_(torch.tensor([0.0, 1e3, 2e3]))
    found = reading(told, seen)[1]
    other = told.clone()
    other[:, 0] += 1.0
    assert torch.equal(reading(other, seen)[1], found)
    other[:, 1] += 1.0
    assert not torch.allclose(reading(other, seen)[1], found)
    alone = torch.cat([torch.zeros(1, 1, 2), told[:, 1:]], dim=1)  # the first is always there, whatever it says
    reading.order.copy_(torch.tensor([1e3, 0.0, 0.0]))
    assert torch.equal(reading(alone, seen)[1], reading(torch.zeros(1, 3, 2), seen)[1])
