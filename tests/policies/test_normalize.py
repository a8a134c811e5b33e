"""What networks see: every mode against its definition."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from burnish.contract import ACTION, STATE, Contract, Field
from burnish.datasets.demonstrations import Demonstrations, Episode, compute_stats
from burnish.errors import ContractError
from burnish.policies.normalize import LARGEST_INPUT, SMALLEST_SPREAD, Normalizer
from tests.policies.conftest import ACTION_FIELD


def normalizer(state: np.ndarray, mode: str) -> Normalizer:
    names = tuple(str(i) for i in range(state.shape[1]))
    field = Field((len(names),), names, ("m",) * len(names), "world", 80.0, mode)
    episode = Episode({STATE: state}, np.zeros((len(state), 4), np.float32))
    demos = Demonstrations.of(Contract({STATE: field}, ACTION_FIELD), "toy", [episode])
    return Normalizer(demos.contract, compute_stats(demos))


def hand_and_object(spread: float) -> np.ndarray:
    """Two positions [m] that vary by 1 m together and differ by `spread`; a third number never changes."""
    rng = np.random.default_rng(0)
    hand = rng.normal(size=5000)
    return np.stack([hand, hand + spread * rng.normal(size=5000), np.full(5000, 0.7)], 1).astype(np.float32)


def test_whitening_gives_every_direction_that_varies_variance_one():
    state = hand_and_object(0.5)
    white = normalizer(state, "whitening").normalize(STATE, torch.from_numpy(state))
    np.testing.assert_allclose(np.cov(white.T.numpy()), np.diag([1.0, 1.0, 0.0]), atol=2e-3)


def test_whitening_makes_a_small_difference_of_large_coordinates_as_visible_as_a_large_one():
    state = hand_and_object(0.2)
    nudge = torch.tensor([0.0, 0.2, 0.0])
    for mode, least, most in (("mean_std", 0.1, 0.25), ("whitening", 0.9, 1.1)):
        both = normalizer(state, mode).normalize(STATE, torch.stack([torch.zeros(3), nudge]))
        assert least < float((both[1] - both[0]).norm()) < most, mode


def test_whitening_leaves_independent_axes_as_mean_std_does():
    state = np.random.default_rng(0).normal([1.0, 2.0], [3.0, 0.5], (100_000, 2)).astype(np.float32)
    x = torch.from_numpy(state[:10])
    white, plain = (normalizer(state, mode).normalize(STATE, x) for mode in ("whitening", "mean_std"))
    torch.testing.assert_close(white, plain, atol=0.02, rtol=0.02)


def test_no_direction_is_magnified_beyond_the_floor():
    """Two coordinates that are always equal in the data must not explode when they differ by a hair."""
    state = hand_and_object(0.0)
    whitener = normalizer(state, "whitening")
    both = whitener.normalize(STATE, torch.tensor([[0.0, 0.0, 0.7], [0.001, -0.001, 0.7]]))
    distance = float((both[1] - both[0]).norm())
    assert distance == pytest.approx(0.001 * np.sqrt(2) / SMALLEST_SPREAD, rel=0.05)
    far = whitener.condition({STATE: torch.tensor([[100.0, -100.0, 5.0]])})
    assert float(far.abs().max()) == LARGEST_INPUT


def things(seed: int) -> np.ndarray:
    """Hand and, from it, two things in two numbers each; the second one stands 3 m further away and varies less."""
    rng = np.random.default_rng(seed)
    hand, first, second = (rng.normal(size=(4000, 2)) for _ in range(3))
    return np.concatenate([hand, first, first[:, ::-1] + 0.1 * second + 3.0], 1).astype(np.float32)


def slotted(state: np.ndarray, mode: str) -> Normalizer:
    hand = Field((2,), ("x", "y"), ("m", "m"), "world", 80.0, "mean_std")
    both = Field((4,), tuple("abcd"), ("m",) * 4, "world", 80.0, mode, slots=2)
    episode = Episode({STATE: state[:, :2], "objects": state[:, 2:]}, np.zeros((len(state), 4), np.float32))
    demos = Demonstrations.of(Contract({STATE: hand, "objects": both}, ACTION_FIELD), "toy", [episode])
    return Normalizer(demos.contract, compute_stats(demos))


@pytest.mark.parametrize("mode", ["mean_std", "whitening", "range"])
def test_slots_are_mapped_by_one_rule_that_fits_all_of_them_together(mode):
    state = things(0)
    norm = slotted(state, mode)
    place = torch.tensor([[0.5, -1.0]])
    same = norm.normalize("objects", torch.cat([place, place], 1))
    torch.testing.assert_close(same[:, :2], same[:, 2:], atol=1e-5, rtol=1e-5)
    seen = norm.condition({STATE: torch.from_numpy(state[:, :2]), "objects": torch.from_numpy(state[:, 2:])})
    assert norm.slots is not None
    torch.testing.assert_close(norm.slots.rest(seen), norm.normalize(STATE, torch.from_numpy(state[:, :2])))
    flat = norm.slots.of(seen).flatten(0, 1)
    if mode == "range":
        assert flat.amin(0).tolist() == [-1.0, -1.0] and flat.amax(0).tolist() == [1.0, 1.0]
    else:
        covariance = np.cov(flat.T.numpy())
        np.testing.assert_allclose(np.diag(covariance), 1.0, atol=2e-3)
        assert mode == "mean_std" or abs(covariance[0, 1]) < 2e-3


def test_actions_come_back_from_network_units():
    norm = normalizer(hand_and_object(0.2), "whitening")
    action = torch.tensor([[0.004, -0.01, 0.0, 1.0]])
    torch.testing.assert_close(norm.action(norm.normalize(ACTION, action)), action)


def test_a_range_is_the_data_s_and_bounds_only_cut_off():
    field = Field((2,), ("a", "b"), ("rad", "rad"), "joint", 20.0, "range", low=(-3.0, -3.0), high=(3.0, 3.0))
    contract = Contract({STATE: Field((1,), ("x",), ("m",), "world", 20.0, "mean_std")}, field)
    stats = {ACTION: {name: np.float32(v) for name, v in (("min", [0.0, 1.0]), ("max", [0.5, 2.0]))}}
    stats[STATE] = {"mean": np.zeros(1, np.float32), "std": np.ones(1, np.float32)}
    normalizer = Normalizer(contract, stats)
    assert torch.equal(normalizer.normalize(ACTION, torch.tensor([[0.0, 2.0]])), torch.tensor([[-1.0, 1.0]]))
    assert torch.equal(normalizer.action(torch.tensor([[40.0, 0.0]])), torch.tensor([[3.0, 1.5]]))


def test_who_takes_actions_between_one_and_minus_one_refuses_others():
    numbers = Field((2,), ("a", "b"), ("m", "m"), "world", 20.0, "mean_std")
    with pytest.raises(ContractError, match=r"a residual takes actions between -1 and 1.*make it 'range'"):
        Contract({STATE: numbers}, numbers).need_unit_actions("a residual")
    Contract({STATE: numbers}, dataclasses.replace(numbers, normalization="range")).need_unit_actions("a residual")
