"""Progress rewards: order follows true progress, and the traps of the published form do not happen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.rl_finetune.chances import Chances, features
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


def test_chances_are_those_of_the_episodes():
    """Walks whose success depends on how far they are and how late it is; asked about walks not learned from."""
    generator = torch.Generator().manual_seed(0)

    def walks(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        seen, true = [], []
        for _ in range(count):
            distance = torch.rand(40, generator=generator) * 1.5
            seen.append(features(distance))
            true.append((0.9 - 0.4 * distance - 0.2 * torch.arange(40) / 40).clamp(0, 1))
        chance = torch.cat(true)
        return torch.cat(seen), chance, (torch.rand(len(chance), generator=generator) < chance).float()

    chances = Chances()
    for _ in range(3):
        seen, _, won = walks(100)
        chances.learn(seen, won)
    seen, true, _ = walks(20)
    assert float((chances(seen) - true).abs().mean()) < 0.02


def test_a_round_without_success_leaves_something_of_what_was_known():
    near, far = features(torch.zeros(40)), features(torch.ones(40))
    chances = Chances()
    chances.learn(torch.cat([near, far]), torch.cat([torch.ones(40), torch.zeros(40)]))
    chances.learn(far, torch.zeros(40))
    assert float(chances(near).mean()) > 0.9
    assert float(chances(far).mean()) < 0.05


def test_a_decision_is_judged_by_what_followed_it(base: Policy, monkeypatch):
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
    near, far = (torch.full((len(one),), value) for value in (0.0, 1.0))
    trainer.chances.learn(torch.cat([features(near), features(far)]), torch.cat([far, near]))
    way = features(trainer.distance(one))
    one.success = False
    failed = trainer.gains(one, way, 0.5)
    assert (failed[: half - 2] > 0).all()
    assert (failed[half:] < 0).all()
    whole = trainer.gains(one, way, 1.0)
    assert torch.allclose(whole, -trainer.chances(way[:-1]), atol=1e-5)  # all of it: from the chance to nothing
    one.success = True
    assert float(trainer.gains(one, way, 0.5)[-1]) == pytest.approx(1.0 - float(trainer.chances(way[-2:-1])), abs=1e-5)


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
