"""Policies that read points: encoders by name, what only a cloud shows, and where clouds do not matter."""

import dataclasses

import numpy as np
import pytest
import torch

from burnish.contract import ACTION, POINTS, STATE, Contract, Field
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.errors import BurnishError, ContractError
from burnish.exported import ExportedPolicy
from burnish.policies.base import load_policy, make_policy, save_policy
from burnish.policies.export import ExportConfig, export
from burnish.policies.networks.points import Points, PointsConfig
from burnish.policies.train import TrainConfig, train
from burnish.run import Run

COUNT = 96
CLOUD = Field((COUNT, 3), ("x", "y", "z"), ("m",) * 3, "world", 10.0, "min_max", low=(-1.0,) * 3, high=(1.0,) * 3)
ONE = Field((1,), ("x",), ("m",), "world", 10.0, "mean_std")
MOVE = Field((2,), ("x", "y"), ("m", "m"), "world", 10.0, "min_max", low=(-1.0, -1.0), high=(1.0, 1.0))
CONTRACT = Contract({STATE: ONE, POINTS: CLOUD}, MOVE)
ENCODERS = ("mlp", "neighbours")


@pytest.fixture(scope="module")
def demos() -> Demonstrations:
    """A small ball over a floor; what is to be done is where the ball is."""
    random = np.random.default_rng(0)
    balls = random.uniform(-0.8, 0.8, (256, 2)).astype(np.float32)
    floor = np.concatenate([random.uniform(-1, 1, (COUNT - 16, 2)), np.zeros((COUNT - 16, 1))], axis=1)
    clouds = np.zeros((256, COUNT, 3), np.float32)
    clouds[:, :-16] = floor
    clouds[:, -16:] = 0.05 * random.standard_normal((256, 16, 3)) + [0.0, 0.0, 0.3]
    clouds[:, -16:, :2] += balls[:, None]
    clouds = clouds.clip(-1, 1)[:, random.permutation(COUNT)]
    obs = {STATE: np.zeros((256, 1), np.float32), POINTS: clouds}
    where = np.stack([cloud[cloud[:, 2] > 0.1][:, :2].mean(axis=0) for cloud in clouds])
    return Demonstrations(CONTRACT, "toy/balls", obs, where.astype(np.float32), np.full(64, 4))


def policy_of(demos: Demonstrations, **points):
    torch.manual_seed(0)
    config = {"horizon": 1, "denoiser": "mlp", "width": 16, "points": PointsConfig(width=16, **points)}
    return make_policy("flow", CONTRACT, compute_stats(demos), **config)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_policy_learns_what_only_a_cloud_shows(demos, encoder, tmp_path):
    policy = policy_of(demos, encoder=encoder)
    settings = TrainConfig(steps=250, batch_size=64, lr=3e-3, warmup_steps=10, ema_decay=0.9)
    train(Run(tmp_path, "train", {}), policy, ChunkSampler(demos, 1, 64, seed=0), settings)
    learned = load_policy(tmp_path / "policy")
    obs = {key: torch.from_numpy(value) for key, value in demos.obs.items()}
    with torch.no_grad():
        error = learned.act(obs, torch.zeros(256, 1, 2))[:, 0] - torch.from_numpy(demos.action)
    assert error.square().mean() < 0.1 * np.square(demos.action).mean()


def test_the_order_of_points_does_not_matter():
    encoder, cloud = Points(PointsConfig(), COUNT), torch.randn(3, COUNT, 3)
    mixed = cloud[:, torch.randperm(COUNT)]
    assert torch.allclose(encoder(cloud), encoder(mixed), atol=1e-6)


def test_neighbourhoods_do_not_depend_on_the_order_of_what_is_no_centre():
    encoder, cloud = Points(PointsConfig("neighbours"), COUNT), torch.randn(3, COUNT, 3)
    mixed = torch.cat([cloud[:, :64], cloud[:, 64:].flip(1)], dim=1)
    assert torch.allclose(encoder(cloud), encoder(mixed), atol=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_policy_of_points_is_exported_whole(demos, encoder, tmp_path):
    policy = policy_of(demos, encoder=encoder).eval()
    export(policy, tmp_path, ExportConfig(observations=32, calls=3))
    obs = {key: value[:1] for key, value in demos.obs.items()}
    noise = np.random.default_rng(0).standard_normal((1, *policy.noise_shape)).astype(np.float32)
    exported = ExportedPolicy(tmp_path).act(obs, noise)
    with torch.no_grad():
        ours = policy.act({key: torch.from_numpy(value) for key, value in obs.items()}, torch.from_numpy(noise))
    assert np.allclose(exported, ours.numpy(), atol=1e-5)


def test_an_agent_asks_for_points_when_it_plans_and_not_before(demos):
    agent = make_policy("flow", CONTRACT, compute_stats(demos), horizon=4, replan=2, width=16).agent(2)
    agent.reset([0, 1], [1, 2])
    assert agent.looks() == [0, 1]
    agent.act({key: torch.from_numpy(value[:2]) for key, value in demos.obs.items()})
    assert agent.looks() == []


def test_statistics_are_those_of_a_point(demos):
    stats = compute_stats(demos)
    assert stats[POINTS]["mean"].shape == (3,)
    assert stats[ACTION]["mean"].shape == (2,)


def test_bad_settings_and_clouds_of_another_size_are_named(demos, tmp_path):
    with pytest.raises(BurnishError, match="unknown encoder 'transformer'"):
        Points(PointsConfig("transformer"), COUNT)  # pyright: ignore[reportArgumentType]
    with pytest.raises(BurnishError, match="needs 64 points or more, not 8"):
        Points(PointsConfig("neighbours"), 8)
    with pytest.raises(BurnishError, match="features 0"):
        PointsConfig(features=0)
    save_policy(policy_of(demos), tmp_path / "policy")
    small = Contract({STATE: ONE, POINTS: dataclasses.replace(CLOUD, shape=(8, 3))}, MOVE)
    with pytest.raises(ContractError, match=r"observation\.points\.shape: \(96, 3\) in the checkpoint"):
        load_policy(tmp_path / "policy", contract=small)
