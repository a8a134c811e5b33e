"""Training in two processes, with whole and with sharded weights, stopped and resumed: the steps of one process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from burnish import checkpoint
from burnish.policies.base import load_policy
from burnish.policies.train import train
from burnish.run import Run, read_metrics

PROGRAM = Path(__file__).with_name("launched.py")
LAUNCH = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
LAUNCH += ["--dynamo_backend", "no", "--main_process_port", "0"]


@pytest.fixture(scope="module")
def launched():
    spec = importlib.util.spec_from_file_location("launched", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("mode", "kind"), [("ddp", "Parameter"), ("fsdp", "DTensor")])
def test_two_processes_stopped_and_resumed_end_as_one_that_was_not(mode, kind, launched, tiny, tmp_path):
    folder = tiny["smolvlm"]
    train(Run(tmp_path / "one", "train", {}), launched.fresh(folder), launched.Batches(stop=-1), launched.SETTINGS)
    environment = os.environ | {"PYTHONPATH": str(PROGRAM.parents[3]), "OMP_NUM_THREADS": "1"}
    words = ["-m", "accelerate.commands.launch", *LAUNCH, str(PROGRAM), str(tmp_path / "two"), mode, folder]
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [kind, kind]
    losses = [[row["loss"] for row in read_metrics(tmp_path / name)] for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4) and len(losses[0]) == 8
    one, two = (checkpoint.load(tmp_path / name / "policy").tensors for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(np.allclose(one[key], two[key], atol=2e-4) for key in one)
    assert not (tmp_path / "two/checkpoint").exists() and load_policy(tmp_path / "two/policy").name == "vla"
