"""Progress rewards: order follows true progress, and the traps of the published form do not happen."""

from __future__ import annotations

import torch

from burnish.policies.base import Policy
from burnish.rl_finetune.srpo import progress_distance, progress_reward, published_distance
from burnish.rl_finetune.worlds import TimeEncoder, TimeEncoderConfig


def test_a_failure_is_worth_less_the_farther_it_ended_and_never_as_much_as_success():
    starts, successes = torch.zeros(4, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    ends = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.9, 0.0], [0.0, 0.99]])
    reward = progress_reward(progress_distance(ends, starts, successes))
    assert (reward.diff() > 0).all()
    assert float(reward[0]) < 0.01
    assert 0.59 < float(reward[-1]) < 0.6


def test_the_best_of_a_bad_batch_is_still_bad():
    """Min-max over the batch gives the closest failure nearly 0.6, wherever it ended."""
    starts, successes = torch.zeros(3, 2), torch.tensor([[1.0, 0.0]])
    ends = torch.tensor([[0.02, 0.0], [-0.1, 0.0], [-0.3, 0.0]])
    assert float(progress_reward(published_distance(ends, successes)).max()) > 0.59
    assert float(progress_reward(progress_distance(ends, starts, successes)).max()) < 0.02


def test_what_is_two_ways_to_succeed_is_not_averaged():
    """The mean of two ends is where neither ended."""
    starts, successes = torch.zeros(2, 2), torch.tensor([[2.0, 2.0], [2.0, -2.0]])
    ends = torch.tensor([[2.0, 0.0], [1.9, 1.9]])
    published = published_distance(ends, successes)
    fixed = progress_distance(ends, starts, successes)
    assert published[0] < published[1]
    assert fixed[0] > fixed[1]


def test_distance_in_the_encoder_is_time(base: Policy):
    """Straight walks from random places: how far apart two of their steps are is found again."""
    generator = torch.Generator().manual_seed(0)

    def walk(length: int) -> torch.Tensor:
        way = torch.randn(base.state_dim, generator=generator)
        return torch.randn(base.state_dim, generator=generator) + torch.arange(length)[:, None] * way / way.norm() / 5

    encoder = TimeEncoder(base, TimeEncoderConfig(updates=300), seed=0)
    walks = [walk(20) for _ in range(40)]
    first = encoder.fit(walks[:32], generator)
    assert encoder.fit(walks[:32], generator) < first
    with torch.no_grad():
        found = torch.stack([(encoder(one[10:]) - encoder(one[10:11])).norm(dim=1) for one in walks[32:]]).mean(0)
    assert (found.diff() > 0).all()
