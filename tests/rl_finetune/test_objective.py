"""Advantages and the clipped objective against what is known in closed form."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from burnish.rl_finetune.objective import ClipConfig, clipped, gae, group_advantage, step_log_prob

NUMBERS = st.lists(st.floats(-2, 2), min_size=2, max_size=8)


@given(NUMBERS, st.floats(0.5, 1.0), st.floats(-1, 1))
def test_with_lambda_one_an_advantage_is_the_return_minus_the_value(rewards, gamma, last):
    count = len(rewards)
    value, steps = torch.linspace(-1, 1, count), torch.arange(1, count + 1)
    found, returns = gae(torch.tensor(rewards), value, last, gamma=gamma, lam=1.0, steps=steps)
    expected, following = [], last
    for reward, taken in zip(reversed(rewards), reversed(steps.tolist()), strict=True):
        following = reward + gamma**taken * following
        expected.insert(0, following)
    torch.testing.assert_close(returns, torch.tensor(expected), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found, returns - value)


@given(NUMBERS, st.floats(0.5, 1.0))
def test_with_lambda_zero_it_is_the_error_of_one_step(rewards, gamma):
    value = torch.linspace(0, 1, len(rewards))
    found, _ = gae(torch.tensor(rewards), value, 0.5, gamma=gamma, lam=0.0, steps=torch.full((len(rewards),), 4))
    following = torch.cat([value[1:], torch.tensor([0.5])])
    torch.testing.assert_close(found, torch.tensor(rewards) + gamma**4 * following - value)


def test_a_group_is_judged_by_itself_and_one_that_ends_alike_teaches_nothing():
    reward = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    found = group_advantage(reward, 4)
    torch.testing.assert_close(found[:4], torch.tensor([3.0, -1.0, -1.0, -1.0]) / 3**0.5)
    assert not found[4:].any()


def test_where_the_policy_has_not_moved_it_is_the_policy_gradient():
    new = torch.randn(6, 3, requires_grad=True)
    advantage = torch.randn(6)
    found = clipped(new, new.detach(), advantage, ClipConfig())
    found.loss.backward()
    torch.testing.assert_close(new.grad, -advantage[:, None].expand(6, 3) / 18)
    assert float(found.kl) == pytest.approx(0.0)


@pytest.mark.parametrize(("moved", "advantage", "learns"), [(0.5, 1, False), (0.5, -1, True), (-0.5, -1, False)])
def test_what_has_moved_far_enough_is_left_alone(moved, advantage, learns):
    old = torch.zeros(1, 1)
    new = torch.full((1, 1), moved, requires_grad=True)
    found = clipped(new, old, torch.tensor([float(advantage)]), ClipConfig(low=0.2, high=0.2))
    found.loss.backward()
    assert bool(new.grad.any()) is learns
    assert float(found.share) == 1.0


def test_bounds_grow_and_discounts_shrink_along_a_chain():
    new = torch.full((1, 3), 0.15, requires_grad=True)
    cfg = ClipConfig(low=0.2, high=0.2, first=0.01, discount=0.5)
    found = clipped(new, torch.zeros(1, 3), torch.ones(1), cfg)
    found.loss.backward()
    ratio = float(torch.tensor(0.15).exp())
    torch.testing.assert_close(new.grad, torch.tensor([[0.0, 0.0, -ratio / 3]]))
    wide = clipped(new, torch.zeros(1, 3), torch.ones(1), ClipConfig(low=0.2, high=0.2, discount=0.5))
    assert float(wide.loss.detach()) == pytest.approx(-ratio * (0.25 + 0.5 + 1) / 3)


def test_numbers_of_a_step_are_clamped_and_joined_as_asked():
    given_ = torch.tensor([[[-9.0, 1.0], [3.0, 1.0]]])
    torch.testing.assert_close(step_log_prob(given_, ClipConfig(numbers="sum")), torch.tensor([[-8.0, 4.0]]))
    found = step_log_prob(given_, ClipConfig(clamp=(-5.0, 2.0)))
    torch.testing.assert_close(found, torch.tensor([[-2.0, 1.5]]))
