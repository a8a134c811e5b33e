"""Damaged inputs at the command line: exit status 2, the file named, nothing written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from burnish.cli import main
from burnish.contract import ACTION, STATE, Contract, Field
from burnish.files import write_json
from burnish.policies.base import make_policy, save_policy

STATE_FIELD = Field((39,), tuple(map(str, range(39))), ("m",) * 39, "world", 80.0, "mean_std")
ACTION_FIELD = Field((4,), ("dx", "dy", "dz", "gripper"), ("m", "m", "m", "1"), "world", 80.0, "min_max")
CONTRACT = Contract({STATE: STATE_FIELD}, ACTION_FIELD)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    sizes = {STATE: 39, ACTION: 4}
    stats = {key: dict(zero(size), std=np.ones(size, np.float32)) for key, size in sizes.items()}
    folder = tmp_path / "policy"
    save_policy(make_policy("meanflow", CONTRACT, stats, width=8), folder)
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """The files that are looked at before the data; the data file is not the one whose sum was recorded."""
    folder = tmp_path / "dataset"
    write_json(folder / "meta/info.json", {"codebase_version": "v3.0"})
    write_json(folder / "contract.json", CONTRACT.to_json())
    write_json(folder / "meta/sha256.json", {"data/chunk-000/file-000.parquet": "0" * 64})
    (folder / "data/chunk-000").mkdir(parents=True)
    (folder / "data/chunk-000/file-000.parquet").write_bytes(b"PAR1")
    return folder


def test_a_truncated_checkpoint_is_named(checkpoint: Path, tmp_path: Path, capsys):
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert fails(["eval", checkpoint, "--task", "metaworld/reach"], tmp_path / "out")
    assert f"{path}: " in (error := capsys.readouterr().err)
    assert "truncated" in error


def test_an_altered_config_is_named(checkpoint: Path, tmp_path: Path, capsys):
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    config["config"]["widht"] = config["config"].pop("width")
    path.write_text(json.dumps(config))
    assert fails(["export", checkpoint], tmp_path / "out")
    assert str(path) in (error := capsys.readouterr().err)
    assert "widht" in error


def test_an_altered_dataset_is_named(dataset: Path, tmp_path: Path, capsys):
    assert fails(["train", "meanflow", "--dataset", dataset], tmp_path / "out")
    assert f"{dataset / 'data/chunk-000/file-000.parquet'}: " in capsys.readouterr().err


def test_a_policy_for_another_action_is_refused_field_by_field(checkpoint: Path, tmp_path: Path, capsys):
    other = replace(ACTION_FIELD, rate_hz=20.0, unit=("rad", "rad", "rad", "1"))
    write_json(checkpoint / "contract.json", Contract({STATE: STATE_FIELD}, other).to_json())
    assert fails(["eval", checkpoint, "--task", "metaworld/reach", "--eval.workers", "0"], tmp_path / "out")
    error = capsys.readouterr().err
    assert "action.rate_hz: 20.0 in the checkpoint" in error
    assert "80.0 in the environment metaworld/reach" in error
    assert "action.unit" in error


def fails(words: list[object], out: Path) -> bool:
    """Whether the command ends with status 2 and leaves nothing in `out`."""
    return main([*map(str, words), "--out", str(out)]) == 2 and not out.exists()


def zero(size: int) -> dict[str, np.ndarray]:
    return {name: np.zeros(size, np.float32) for name in ("mean", "min", "max")}
