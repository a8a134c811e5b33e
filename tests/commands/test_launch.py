"""Several processes on one training run, as `accelerate launch` starts them: the steps of one, and one that writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from burnish import checkpoint
from burnish.commands import train
from burnish.contract import STATE, Contract, Field
from burnish.datasets.demonstrations import Demonstrations, Episode
from burnish.datasets.store import write_dataset
from burnish.policies.base import load_policy

ROOT = Path(__file__).parents[2]
LAUNCH = [
    *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"),
]
TRAIN = ["--train.steps", "12", "--train.batch-size", "8", "--train.log-every", "1", "--train.warmup-steps", "2"]
TOKENS = ["--policy.tokenizer", "bins", "--policy.width", "16", "--policy.depth", "1", *TRAIN]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("launch") / "dataset"
    action = Field((2,), ("dx", "dy"), ("m", "m"), "world", 20.0, "min_max", low=(-1.0, -1.0), high=(1.0, 1.0))
    time = np.arange(40, dtype=np.float32)[:, None]
    chunk = np.concatenate([np.sin(time / 5), np.cos(time / 7)], axis=1).astype(np.float32)
    contract = Contract({STATE: Field((1,), ("phase",), ("rad",), "world", 20.0, "mean_std")}, action)
    write_dataset(Demonstrations.of(contract, "metaworld/reach", [Episode({STATE: time / 5}, chunk)] * 2), folder)
    return folder


def launch(*words: object, program: tuple[str, ...] = ("-m", "burnish")) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *LAUNCH, *program, *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=380)


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.timeout(400)
def test_two_processes_take_the_steps_of_one(dataset, tmp_path):
    words = ["tokens", "--dataset", dataset, "--out"]
    train.run(train.configure([*map(str, [*words, tmp_path / "one"]), *TOKENS]))
    done = launch("train", *words, tmp_path / "two", *TOKENS)
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    assert len(losses(tmp_path / "two")) == 12
    one, two = (checkpoint.load(tmp_path / name / "policy").tensors for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(np.allclose(one[key], two[key], atol=1e-4) for key in one)
    assert load_policy(tmp_path / "two/policy").act({STATE: torch.zeros(1, 1)}, torch.zeros(1, 16, 256)).shape[0] == 1
    assert done.stderr.count("it learns to plan") == 1
    assert {path.name for path in (tmp_path / "two").iterdir()} == {path.name for path in (tmp_path / "one").iterdir()}
