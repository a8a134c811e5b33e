"""One machine or two: the same seeds reach the same success."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from burnish.datasets.demonstrations import Demonstrations
from burnish.policies.base import Policy
from burnish.rl_finetune.dppo import DppoConfig
from burnish.rl_finetune.dppo import train as train_dppo
from burnish.rl_finetune.fleet.arena import RayArena
from burnish.rl_finetune.fleet.cluster import FleetConfig
from burnish.rl_finetune.residual import ResidualConfig, train
from burnish.run import Run, read_metrics

TASK, HORIZON = "metaworld/reach", 500
NOISE = 0.2
"""Two binomial deviations of the difference of two times 100 episodes, at worst 0.14, and the order of arrival."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_stream_from_two_machines_teaches_what_one_teaches(cluster, base: Policy, demos: Demonstrations, tmp_path):
    cfg = ResidualConfig(env_steps=16_000, warmup_steps=2_000, lanes=5, updates_per_step=0.25, critic_warmup=500)
    success = {}
    for workers in (1, 2):
        with RayArena(TASK, cfg.lanes, True, HORIZON, FleetConfig(workers=workers)) as arena:
            result = train(Run(tmp_path / str(workers), "refine", {}), base, arena, demos, cfg)
        success[workers] = result["success"]
        assert result["fleet"]["machines"] == workers
    print(success)
    assert abs(success[1] - success[2]) <= NOISE


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_episodes_are_the_same_whoever_plays_them(cluster, base: Policy, tmp_path: Path):
    """So the first iteration ends alike; later ones differ by what sums of floats in another order make of weights."""
    cfg = DppoConfig(env_steps=30_000, episodes=20, lanes=5)
    runs = {}
    for workers in (1, 2):
        with RayArena(TASK, cfg.lanes, False, HORIZON, FleetConfig(workers=workers)) as arena:
            train_dppo(Run(tmp_path / str(workers), "refine", {}), base, arena, None, replace(cfg))
        runs[workers] = [row["success"] for row in read_metrics(tmp_path / str(workers))]
    print(runs)
    one, two = runs[1], runs[2]
    assert one[0] == two[0]
    assert abs(sum(one) / len(one) - sum(two) / len(two)) <= NOISE
