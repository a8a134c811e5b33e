"""Progress rewards: order follows true progress, and the traps of the published form do not happen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.rl_finetune.srpo import (
    ProgressTrainer,
    SrpoConfig,
    progress_distance,
    progress_reward,
    published_distance,
)
from burnish.rl_finetune.worlds import TimeEncoder, TimeEncoderConfig
from burnish.sim.base import make_env


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
    first = encoder.learn(walks[:32], generator)
    assert encoder.learn(walks[:32], generator) < first
    apart = [(encoder.latent(one[10:]) - encoder.latent(one[10:11])).norm(dim=1) for one in walks[32:]]
    found = torch.stack(apart).mean(0)
    assert (found.diff() > 0).all()


def test_a_decision_is_judged_by_the_progress_that_followed_it(base: Policy, monkeypatch):
    """Nearer to success in the first half of an episode, and back again in the second."""
    cfg = SrpoConfig(episodes=4, group=4, lanes=4, workers=0, tries=1)
    with make_env("metaworld/reach", 4, horizon=80) as env:
        trainer = ProgressTrainer(base, env, cfg)
        one = trainer.player.play([trainer.start()])[0]
    half = len(one) // 2
    there = torch.cat([torch.linspace(0.0, 0.9, half + 1), torch.linspace(0.9, 0.0, len(one) - half + 1)[1:]])
    monkeypatch.setattr(trainer.world, "way", lambda _: there[:, None])
    monkeypatch.setattr(trainer.world, "latent", lambda known: known)
    trainer.known.append(torch.ones(1, 1))
    one.success = False
    failed = trainer.gains(one, 0.5)
    assert (failed[: half - 2] > 0).all()
    assert (failed[half:] < 0).all()
    assert float(trainer.gains(one, 1.0)[0]) == pytest.approx(0.0, abs=1e-4)  # it ended where it began
    one.success = True
    assert float(trainer.gains(one, 0.5)[-1]) > 0.9


@pytest.fixture(scope="module")
def vjepa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the real class, tiny and untrained, as the library saves it."""
    from transformers import VJEPA2Config, VJEPA2Model, VJEPA2VideoProcessor

    torch.manual_seed(0)
    small = {"hidden_size": 24, "num_attention_heads": 2, "num_hidden_layers": 1, "mlp_ratio": 2.0}
    ahead = {"pred_hidden_size": 24, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    folder = tmp_path_factory.mktemp("world")
    VJEPA2Model(VJEPA2Config(crop_size=32, frames_per_clip=4, **small, **ahead)).save_pretrained(folder)
    VJEPA2VideoProcessor(crop_size=32).save_pretrained(folder)
    return folder


def test_a_video_model_tells_films_apart_by_what_happens_in_them(base: Policy, vjepa: Path):
    cfg = SrpoConfig(world=str(vjepa), episodes=4, group=4, lanes=4, workers=0, tries=1)
    with make_env("metaworld/reach", 4, horizon=12) as env:
        trainer = ProgressTrainer(base, env, cfg)
        played = trainer.player.play([trainer.start() for _ in range(4)])
        one = played[0]
        assert one.frames.shape == (len(one), 32, 32, 3)
        world = trainer.world
        assert float(world.end(one).norm()) == pytest.approx(1.0, abs=1e-5)
        assert torch.equal(world.end(one), world.end(one))
        assert not torch.allclose(world.end(one), world.start(one))
        trainer.known.append(world.end(one))
        rewards = trainer.rewards(played)
    assert float(rewards[0]) > 0.59  # as far as the success that it is compared with
    assert (rewards[1:] < rewards[0]).all()


def test_no_video_model_is_an_error_that_says_what_else_there_is(base: Policy, tmp_path):
    cfg = SrpoConfig(world=str(tmp_path / "nothing"), lanes=1, workers=0)
    with make_env("metaworld/reach", 1) as env, pytest.raises(BurnishError, match="leave it out: an encoder is then"):
        ProgressTrainer(base, env, cfg)
