"""Exported policies: refused when they differ, when damaged, and usable where torch is not installed."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from burnish.contract import STATE, Contract
from burnish.errors import BurnishError, ContractError, CorruptFileError
from burnish.exported import ExportedPolicy
from burnish.policies.export import ExportConfig, export

QUICK = ExportConfig(observations=8, calls=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exported")


@pytest.fixture
def exported(make, folder):
    if not (folder / "policy.json").exists():
        export(make("meanflow", width=8, depth=1, horizon=4, replan=3), folder, QUICK)
    return folder


@pytest.fixture
def damaged(exported, tmp_path):
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def observation(batch: int) -> dict[str, np.ndarray]:
    return {STATE: np.ones((batch, 6), np.float32), "observation.force": np.zeros((batch, 3), np.float32)}


WITHOUT_TORCH = """
import sys
for name in ("torch", "lerobot", "diffusers", "onnx"):
    sys.modules[name] = None
import numpy as np
from burnish.exported import ExportedPolicy
policy = ExportedPolicy({folder!r})
obs = {{"observation.state": np.ones((2, 6)), "observation.force": np.zeros((2, 3))}}
print(policy.act(obs, np.random.default_rng(0)).shape, policy.replan)
"""


def test_it_runs_without_torch(exported):
    words = [sys.executable, "-c", WITHOUT_TORCH.format(folder=str(exported))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(2, 4, 4) 3", done.stderr


def test_noise_comes_from_a_generator_or_is_given(exported):
    policy = ExportedPolicy(exported)
    noise = np.random.default_rng(3).standard_normal((2, 4, 4), np.float32)
    drawn = policy.act(observation(2), np.random.default_rng(3))
    assert np.array_equal(drawn, policy.act(observation(2), noise))


def test_a_wrong_observation_is_named(exported):
    policy = ExportedPolicy(exported)
    rng = np.random.default_rng(0)
    with pytest.raises(ContractError, match=r"reads 'observation\.force'"):
        policy.act({STATE: np.ones((1, 6))}, rng)
    with pytest.raises(ContractError, match=r"observation\.state has the shape \(1, 5\), expected \(B, 6\)"):
        policy.act({**observation(1), STATE: np.ones((1, 5))}, rng)
    with pytest.raises(ContractError, match="noise has the shape"):
        policy.act(observation(1), np.zeros((2, 4, 4)))


def test_another_robots_contract_is_refused(exported, contract):
    theirs = Contract(contract.observation, dataclasses.replace(contract.action, rate_hz=50.0))
    with pytest.raises(ContractError, match=r"action\.rate_hz: 80\.0 .* 50\.0 in the robot"):
        ExportedPolicy(exported, contract=theirs)


@pytest.mark.parametrize("name", ["policy.onnx", "contract.json", "policy.json"])
def test_a_truncated_or_missing_file_is_named(damaged, name):
    path = damaged / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptFileError, match=name):
        ExportedPolicy(damaged)
    path.unlink()
    with pytest.raises(CorruptFileError, match=f"{name}: the file is missing"):
        ExportedPolicy(damaged)


def test_an_altered_model_and_a_path_that_escapes_are_refused(damaged):
    model = damaged / "policy.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    with pytest.raises(CorruptFileError, match="altered"):
        ExportedPolicy(damaged)
    description = json.loads((damaged / "policy.json").read_text())
    (damaged / "policy.json").write_text(json.dumps(description | {"format": 99}))
    with pytest.raises(CorruptFileError, match="format 99"):
        ExportedPolicy(damaged)


def test_a_difference_beyond_the_tolerance_leaves_no_policy(make, tmp_path):
    policy = make("meanflow", width=8, depth=1, horizon=4, replan=2)
    with pytest.raises(BurnishError, match="differ from torch"):
        export(policy, tmp_path, dataclasses.replace(QUICK, tolerance=-1.0))
    assert not (tmp_path / "policy.json").exists()
    with pytest.raises(CorruptFileError, match=r"policy\.json: the file is missing"):
        ExportedPolicy(tmp_path)
