"""The road on Isaac Lab: PPO, demonstrations, imitation and residual refinement, by the commands a user types."""

from __future__ import annotations

from pathlib import Path

import pytest

from burnish.cli import main
from burnish.policies.base import load_policy
from burnish.policies.residual import ResidualPolicy
from burnish.run import read_metrics

TASK = "isaaclab/Isaac-Cartpole"


def run(line: str) -> None:
    assert main(line.split()) == 0


def test_ppo_runs_for_a_few_iterations(tmp_path: Path):
    words = "--train.env-steps 1024 --train.lanes 8 --train.steps 32 --train.minibatches 2 --train.save-every 2"
    run(f"train ppo --task {TASK} --out {tmp_path / 'ppo'} {words}")
    assert [row["step"] for row in read_metrics(tmp_path / "ppo")] == [256, 512, 768, 1024]
    load_policy(tmp_path / "ppo/policy")


@pytest.fixture(scope="module")
def demos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demos") / "demos"
    run(f"collect {TASK} --out {folder} --collect.episodes 4 --collect.lanes 4 --collect.workers 0")
    return folder


def test_an_imitated_policy_is_refined_by_residual_rl(demos: Path, tmp_path: Path):
    small = "--policy.denoiser mlp --policy.width 16 --policy.depth 1 --train.steps 50 --train.batch-size 32"
    run(f"train flow --dataset {demos} --out {tmp_path / 'imitate'} {small}")
    few = "--refine.env-steps 240 --refine.warmup-steps 120 --refine.lanes 4 --refine.workers 0 --refine.hidden 16"
    few += " --refine.batch-size 32 --refine.critic-warmup 5 --refine.log-every 80"
    run(f"refine residual {tmp_path / 'imitate/policy'} --dataset {demos} --out {tmp_path / 'refined'} {few}")
    assert isinstance(load_policy(tmp_path / "refined/policy"), ResidualPolicy)
    assert read_metrics(tmp_path / "refined")[-1]["step"] == 240
    run(f"eval {tmp_path / 'refined/policy'} --task {TASK} --out {tmp_path / 'eval'} --eval.episodes 2")
