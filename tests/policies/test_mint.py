"""MINT: scales that answer for frequencies, codes that see only coarser ones, intents that can be shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from burnish.policies.overlap import OverlapAgent, switches
from burnish.policies.tokenizers.spectrum import dct_matrix, low_pass


@pytest.fixture
def mint(make, tiny_mint):
    return make("mint", **tiny_mint)


def test_the_transform_is_orthonormal_and_its_first_rows_are_the_slow_ones():
    matrix = dct_matrix(16).double()
    assert torch.allclose(matrix @ matrix.T, torch.eye(16, dtype=torch.float64), atol=1e-6)
    slow = torch.cos(torch.pi * (torch.arange(16) + 0.5) / 16).double()
    assert (matrix @ slow).abs().argmax() == 1


def test_a_plain_spectral_loss_is_the_loss_over_time_and_a_band_is_not():
    difference = torch.randn(4, 16, 3, generator=torch.Generator().manual_seed(0))
    spectrum = dct_matrix(16) @ difference
    assert torch.allclose(spectrum.square().mean(), difference.square().mean())  # Parseval: the paper's own loss
    fast = dct_matrix(16).T[:, 9:] @ torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(1))
    band = low_pass(16, 0.5)
    assert torch.allclose((dct_matrix(16) @ (difference + fast) * band), spectrum * band, atol=1e-5)


@torch.no_grad()
def test_a_scale_is_predicted_from_coarser_ones_alone(mint, observe):
    condition = mint.encode(observe(2))
    codes = torch.randint(16, (2, 3), generator=torch.Generator().manual_seed(0))
    other = codes.clone()
    other[:, 1:] = (other[:, 1:] + 5) % 16
    assert torch.equal(mint.logits(codes, condition), mint.logits(other, condition))
    other[:, 0] = (other[:, 0] + 5) % 16
    assert torch.equal(mint.logits(codes, condition)[:, 0], mint.logits(other, condition)[:, 0])
    assert not torch.allclose(mint.logits(codes, condition)[:, 1:], mint.logits(other, condition)[:, 1:])


@torch.no_grad()
def test_codes_are_drawn_with_the_probabilities_of_the_logits(mint, observe):
    condition = mint.encode(observe(1))
    expected = mint.logits(torch.zeros(1, 3, dtype=torch.long), condition)[0, 0].softmax(0)
    noise = torch.randn(20_000, *mint.noise_shape, generator=torch.Generator().manual_seed(0))
    drawn = mint.draw(condition.expand(20_000, -1), noise, 1.0)[:, 0]
    found = torch.bincount(drawn, minlength=16) / 20_000
    assert (found - expected).abs().max() < 0.015
    greedy = mint.draw(condition, torch.zeros(1, *mint.noise_shape), 1.0)[0, 0]
    assert greedy == expected.argmax()


@torch.no_grad()
def test_a_demonstration_shows_its_intents_and_then_the_policy_has_its_own(mint, observe):
    demo = mint.act(observe(1, seed=3), torch.randn(1, *mint.noise_shape))[0, :5]
    shown = mint.intents(demo)
    assert shown.shape == (5,)
    agent = mint.follower(demo, 2)
    firsts, draw = [], mint.draw
    mint.draw = lambda condition, noise, temperature, first=None: (
        firsts.append(first) or draw(condition, noise, temperature, first)
    )
    agent.reset([0, 1], [0, 1])
    for _ in range(8):
        agent.act(observe(2))
    assert [first.tolist() for first in firsts] == [[int(shown[step])] * 2 for step in (0, 2, 4)] + [[-1, -1]]
    assert (draw(mint.encode(observe(2)), torch.zeros(2, *mint.noise_shape), 1.0, firsts[0])[:, 0] == shown[0]).all()


class Planner:
    """Chunks that say when they were made, with intents that are told."""

    horizon, replan, name = 6, 2, "planner"

    def __init__(self, policy, weights) -> None:
        self.contract, self.noise_shape, self.made = policy.contract, (1,), 0
        self._policy, self._weights = policy, weights
        spread = np.array([0.5, 0.5, 0.5, 1.0])  # the last one was only ever −1 or 1
        self.stats = {"action": {"min": -np.ones(4), "max": np.ones(4), "mean": np.zeros(4), "std": spread}}

    def parameters(self):
        return self._policy.parameters()

    def plan(self, obs, noise, first=None):
        self.made += 1
        return torch.full((1, 6, 4), float(self.made)), torch.zeros(1, 2)

    def weights(self, intents, ages):
        return self._weights[ages // self.replan].expand(1, -1)


@settings(max_examples=50)
@given(st.lists(st.sampled_from([-1.0, 1.0]), min_size=40, max_size=40), st.floats(-3, 3), st.floats(0.1, 5))
def test_a_switch_is_known_by_its_two_extremes(values, centre, reach):
    assume(len(set(values)) == 2)
    smooth = np.random.default_rng(0).uniform(-1, 1, 40)
    data = centre + reach * np.stack([np.array(values), smooth, np.zeros(40)], axis=1)
    numbers = {name: getattr(data, name)(axis=0) for name in ("min", "max", "mean", "std")}
    assert switches(numbers).tolist() == [True, False, False]


def test_overlapping_chunks_are_averaged_by_weight_and_never_across_episodes(mint, observe):
    agent = OverlapAgent(Planner(mint, torch.tensor([4.0, 2.0, 1.0])), 1)  # pyright: ignore
    agent.reset([0], [0])
    played = [float(agent.act(observe(1))[0, 0]) for _ in range(8)]
    means = [1.0, (4 * 2 + 2 * 1) / 6, (4 * 3 + 2 * 2 + 1) / 7, (4 * 4 + 2 * 3 + 2) / 7]
    assert played == pytest.approx([mean for mean in means for _ in range(2)])
    assert [float(agent.act(observe(1))[0, 3]) for _ in range(2)] == [5.0, 5.0]  # a switch obeys the newest plan
    agent.reset([0], [0])
    assert float(agent.act(observe(1))[0, 0]) == 6.0


@torch.no_grad()
def test_codes_read_block_by_block_are_those_of_the_whole_row(mint, observe):
    """Keys and values that are kept change nothing."""
    condition = mint.encode(observe(5))
    codes = mint.draw(condition, torch.randn(5, *mint.noise_shape), 1.0)
    whole, read, begin = mint.logits(codes, condition), mint.reader(condition), 0
    for count in mint.tokenizer.blocks:
        places = slice(begin, begin + count)
        torch.testing.assert_close(read(codes, places), whole[:, places], atol=1e-5, rtol=1e-4)
        begin += count
