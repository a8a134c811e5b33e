"""A small base policy on a real Meta-World task, and its demonstrations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.collect import CollectConfig, collect
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.datasets.experts.metaworld import MetaWorldExpert
from burnish.datasets.store import load_demonstrations
from burnish.policies.base import Policy, load_policy, make_policy
from burnish.policies.train import TrainConfig, train
from burnish.run import Run
from burnish.sim.base import make_env

TASK = "metaworld/reach"


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Demonstrations:
    """Two episodes of the expert."""
    folder: Path = tmp_path_factory.mktemp("data") / "demos"
    with make_env(TASK, 2) as env:
        collect(env, MetaWorldExpert("reach", 2), CollectConfig(TASK, episodes=2), folder)
    return load_demonstrations(folder)


@pytest.fixture(scope="session")
def imitated(demos: Demonstrations, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small policy, trained for a few seconds."""
    torch.manual_seed(0)
    policy = make_policy("meanflow", demos.contract, compute_stats(demos), denoiser="mlp", width=16, depth=1)
    sampler = ChunkSampler(demos, policy.horizon, 64, seed=0)
    run = Run(tmp_path_factory.mktemp("runs") / "imitate", "train", {})
    train(run, policy, sampler, TrainConfig(steps=300, batch_size=64, warmup_steps=10))
    return run.folder / "policy"


@pytest.fixture
def base(imitated: Path) -> Policy:
    """The trained policy, fresh from disk."""
    return load_policy(imitated)
