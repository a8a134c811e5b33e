"""Whole episodes of a chain, on a real simulator."""

from __future__ import annotations

import pytest
import torch

from burnish.policies.base import Policy
from burnish.policies.trace import NoiseConfig
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.episodes import Player, Start
from burnish.sim.base import make_env

TASK = "metaworld/reach"
STARTS = [Start(5, 1), Start(5, 2), Start(7, 3), Start(5, 1)]


@pytest.fixture
def play(base: Policy):
    def run(lanes: int, horizon: int = 30, workers: int = 0, pipelined: bool | None = None):
        with make_env(TASK, lanes, horizon=horizon, workers=workers) as env:
            player = Player(base.chain(NoiseConfig()), env, Clock(), pipelined=pipelined)
            return player, player.play(STARTS)

    return run


@pytest.mark.parametrize("workers", [0, 2])
def test_an_episode_does_not_depend_on_the_lanes_it_is_played_beside(play, workers):
    (_, one), (player, three) = play(1), play(3, workers=workers, pipelined=True)
    assert player.halves == (2 if workers else 1)  # with workers, one half steps while the other is planned for
    for alone, beside in zip(one, three, strict=True):
        assert alone.success == beside.success
        assert alone.length == beside.length
        torch.testing.assert_close(alone.trace.path, beside.trace.path, atol=1e-4, rtol=1e-4)


def test_the_same_start_and_noise_give_the_same_episode_and_other_noise_another(play):
    _, played = play(2)
    torch.testing.assert_close(played[0].trace.path, played[3].trace.path, atol=1e-4, rtol=1e-4)
    for key, value in played[0].obs.items():
        assert torch.equal(value[0], played[1].obs[key][0])
    assert not torch.equal(played[0].trace.path[0], played[1].trace.path[0])
    assert not torch.equal(played[0].obs["observation.state"][0], played[2].obs["observation.state"][0])


def test_every_step_is_counted_once_and_nothing_is_stepped_that_has_ended(play, base: Policy):
    player, played = play(3)
    assert player.env_steps == sum(one.length for one in played)
    for one in played:
        assert len(one.trace.chunk) == len(one.steps) == len(one)
        assert (one.steps[:-1] == base.replan).all()
        assert 1 <= int(one.steps[-1]) <= base.replan
        assert one.length == 30 or one.success
        assert float(one.reward.sum()) == float(one.success)
        assert not torch.equal(one.last["observation.state"], one.obs["observation.state"][-1:])
