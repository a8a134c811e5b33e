"""Checkpoints: whole or absent, named when damaged, and unable to run code."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import burnish
from burnish import checkpoint
from burnish.checkpoint import Checkpoint
from burnish.contract import ACTION, STATE, Contract, Field
from burnish.errors import CorruptFileError

CONTRACT = Contract(
    {STATE: Field((2,), ("x", "y"), ("m", "m"), "world", 80.0, "mean_std")},
    Field((1,), ("dx",), ("m",), "world", 80.0, "min_max", low=(-1.0,), high=(1.0,)),
)
STATS = {
    STATE: {"mean": np.zeros(2, np.float32), "count": np.array(7)},
    ACTION: {"mean": np.ones(1, np.float32), "count": np.array(7)},
}


def example(value: float = 1.0) -> Checkpoint:
    tensors = {"net.weight": np.full((3, 2), value, np.float32), "count": np.array(4)}
    training = {"average/net.weight": np.zeros((3, 2), np.float32)}
    return Checkpoint("meanflow", {"width": 8}, CONTRACT, STATS, tensors, training, {"done": 5})


def test_what_was_saved_is_loaded(tmp_path):
    checkpoint.save(example(), tmp_path / "policy")
    loaded = checkpoint.load(tmp_path / "policy")
    assert (loaded.policy, loaded.config, loaded.progress) == ("meanflow", {"width": 8}, {"done": 5})
    assert loaded.contract == CONTRACT
    for mine, theirs in ((loaded.tensors, example().tensors), (loaded.training, example().training)):
        assert mine.keys() == theirs.keys()
        for key, value in theirs.items():
            assert mine[key].dtype == value.dtype
            assert np.array_equal(mine[key], value)
    assert loaded.stats[STATE]["count"] == 7
    assert {path.name for path in (tmp_path / "policy").iterdir()} == {
        "model.safetensors",
        "stats.safetensors",
        "training.safetensors",
        "config.json",
        "contract.json",
        "policy_preprocessor.json",
        "policy_postprocessor.json",
        "README.md",
    }


@pytest.mark.parametrize("name", ["model.safetensors", "stats.safetensors", "training.safetensors"])
def test_damaged_tensors_are_named_with_what_is_wrong(tmp_path, name):
    folder = tmp_path / "policy"
    checkpoint.save(example(), folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-4])
    with pytest.raises(CorruptFileError, match=rf"{name}: \d+ bytes, expected {len(whole)}; the file is truncated"):
        checkpoint.load(folder)
    (folder / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CorruptFileError, match=rf"{name}: its SHA-256 .* altered"):
        checkpoint.load(folder)
    (folder / name).unlink()
    with pytest.raises(CorruptFileError, match=f"{name}: the file is missing"):
        checkpoint.load(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 2}', "\x00\xff"])
def test_a_damaged_config_is_named(tmp_path, content):
    folder = tmp_path / "policy"
    checkpoint.save(example(), folder)
    (folder / "config.json").write_text(content, encoding="latin-1")
    with pytest.raises(CorruptFileError, match=r"config\.json"):
        checkpoint.load(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CorruptFileError, match="nowhere: no checkpoint folder"):
        checkpoint.load(tmp_path / "nowhere")


KILLED_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
from burnish import checkpoint, files
real = os.replace
count = 0
def replace(*paths):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(*paths)
os.replace = replace
import importlib.util
spec = importlib.util.spec_from_file_location("example", sys.argv[3])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
checkpoint.save(module.example(2.0), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("rename", [1, 2, 3, 4])
def test_killed_at_any_rename_a_whole_checkpoint_is_left(tmp_path, rename):
    """contract.json and config.json are renamed inside the new folder, then the two folders change places."""
    folder = tmp_path / "policy"
    checkpoint.save(example(1.0), folder)
    words = [sys.executable, "-c", KILLED_WHILE_SAVING, str(folder), str(rename), __file__]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert checkpoint.exists(folder)
    assert checkpoint.load(folder).tensors["net.weight"][0, 0] == 1.0
    checkpoint.save(example(3.0), folder)
    assert checkpoint.load(folder).tensors["net.weight"][0, 0] == 3.0


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path, monkeypatch):
    folder = tmp_path / "policy"
    checkpoint.save(example(1.0), folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(example(2.0), folder)
    monkeypatch.undo()
    assert checkpoint.load(folder).tensors["net.weight"][0, 0] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]


class Bomb:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self):
        return (os.system, (f"touch {self.proof}",))


def test_a_pickle_in_disguise_does_not_run(tmp_path):
    folder, proof = tmp_path / "policy", tmp_path / "proof"
    checkpoint.save(example(), folder)
    bomb = pickle.dumps(Bomb(proof))
    (folder / "model.safetensors").write_bytes(bomb)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["files"]["model.safetensors"] = {"bytes": len(bomb), "sha256": hashlib.sha256(bomb).hexdigest()}
    path.write_text(json.dumps(config))
    with pytest.raises(CorruptFileError, match=r"model\.safetensors: not a safetensors file"):
        checkpoint.load(folder)
    assert not proof.exists()
    pickle.loads(bomb)
    assert proof.exists()


def test_a_file_outside_the_folder_is_refused(tmp_path):
    folder = tmp_path / "policy"
    checkpoint.save(example(), folder)
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"model.safetensors"', '"../model.safetensors"'))
    with pytest.raises(CorruptFileError, match="leaves its folder"):
        checkpoint.load(folder)


UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def test_nothing_in_the_package_unpickles():
    files = sorted(Path(burnish.__file__).parent.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.partition(".")[0] for name in names} & UNSAFE_MODULES, f"{file}: {names}"
            if isinstance(node, ast.Call):
                call = ast.unparse(node.func)
                assert call not in {"torch.load", "torch.save", "eval", "exec"}, f"{file}:{node.lineno}: {call}"
                allowed = [kw for kw in node.keywords if kw.arg == "allow_pickle" and ast.unparse(kw.value) != "False"]
                assert not allowed, f"{file}:{node.lineno}: allow_pickle"
