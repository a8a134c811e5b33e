"""`burnish refine` at the command line, where nothing but a task is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.cli import main
from burnish.contract import ACTION
from burnish.files import read_json
from burnish.policies.base import load_policy, make_policy, save_policy
from burnish.sim.base import make_env

SMALL = ["--refine.env-steps", "300", "--refine.episodes", "4", "--refine.lanes", "2", "--refine.workers", "0"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    with make_env("metaworld/reach", 1) as env:
        contract = env.contract
    one = {"std": 1.0, "mean": 0.0, "min": -1.0, "max": 1.0}
    stats = {
        key: {name: np.full(contract.fields[key].shape, value, np.float32) for name, value in one.items()}
        | {"covariance": np.eye(contract.fields[key].shape[0], dtype=np.float32), "count": np.array(10)}
        for key in (*contract.observation, ACTION)
    }
    torch.manual_seed(0)
    save_policy(make_policy("meanflow", contract, stats, width=8, horizon=8), tmp_path / "policy")
    return tmp_path / "policy"


def refine(checkpoint: Path, out: Path, *more: str, algorithm: str = "dppo") -> int:
    return main(["refine", algorithm, str(checkpoint), "--out", str(out), *more])


def test_a_task_is_enough_and_the_run_can_be_repeated(checkpoint: Path, tmp_path: Path):
    words = ["--task", "metaworld/reach", *SMALL, "--refine.value-iterations", "0"]
    assert refine(checkpoint, tmp_path / "run", *words) == 0
    assert read_json(tmp_path / "run" / "result.json")["env_steps"] >= 300
    before, after = (load_policy(tmp_path / name).state_dict() for name in ("policy", "run/policy"))
    assert any(not torch.equal(after[key], value) for key, value in before.items())
    assert main(["rerun", str(tmp_path / "run"), "--out", str(tmp_path / "again")]) == 0
    again = load_policy(tmp_path / "again" / "policy").state_dict()
    assert all(torch.equal(again[key], value) for key, value in after.items())


def test_without_task_and_dataset_both_flags_are_named(checkpoint: Path, tmp_path: Path, capsys):
    assert refine(checkpoint, tmp_path / "run", *SMALL) == 2
    assert "--task SIMULATOR/TASK or --dataset DATASET" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_what_learns_from_demonstrations_says_so(checkpoint: Path, tmp_path: Path, capsys):
    assert refine(checkpoint, tmp_path / "run", "--task", "metaworld/reach", algorithm="residual") == 2
    assert "--dataset DATASET" in " ".join(capsys.readouterr().err.split())


def test_a_teacher_that_is_not_there_is_named_by_its_flag(checkpoint: Path, tmp_path: Path, capsys):
    words = ["--task", "metaworld/reach", "--refine.teacher", str(tmp_path / "nobody")]
    assert refine(checkpoint, tmp_path / "run", *words, algorithm="opd") == 2
    assert "refine.teacher must name an existing folder" in " ".join(capsys.readouterr().err.split())
