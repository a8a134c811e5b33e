"""A robot computer's installation: small, without torch, and with the same numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from burnish.contract import ACTION, STATE
from burnish.fr3 import contract
from burnish.policies.base import make_policy
from burnish.policies.export import ExportConfig, export

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
MOST_MB, MOST_S = 400, 2.0
ACT = """
import json, sys
import numpy as np
from burnish.exported import ExportedPolicy
folder, rows = sys.argv[1:]
policy, state = ExportedPolicy(folder), np.array(json.loads(rows), np.float32)
noise = np.random.default_rng(0).standard_normal((len(state), *policy.noise_shape), np.float32)
print(json.dumps(policy.act({"observation.state": state}, noise).tolist()))
assert not {"torch", "lerobot"} & sys.modules.keys()
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds `burnish[franka]` and nothing else."""
    uv, folder = shutil.which("uv"), tmp_path_factory.mktemp("light") / "venv"
    if uv is None:
        pytest.skip("uv is not on the path")
    subprocess.run([uv, "venv", "-q", "--python", "3.12", folder], check=True, cwd=ROOT)
    python = folder / "bin" / "python"
    subprocess.run([uv, "pip", "install", "-q", "--python", python, f"{ROOT}[franka]"], check=True, cwd=ROOT)
    return python


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    whole, stats = contract(), {}
    for key in (STATE, ACTION):
        one = np.ones(whole.fields[key].shape, np.float32)
        stats[key] = {"mean": 0 * one, "std": one, "min": -one, "max": one, "count": np.array(9)}
    policy = make_policy("meanflow", whole, stats, horizon=16, width=32, depth=2)
    folder = tmp_path_factory.mktemp("exported")
    export(policy.eval(), folder, ExportConfig(calls=2, observations=16))
    return folder


def test_it_is_small_and_has_no_torch(light: Path) -> None:
    packages = light.parent.parent
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file() and not file.is_symlink())
    print(f"installed: {size / 1e6:.0f} MB")
    assert size < MOST_MB * 1e6
    assert subprocess.run([light, "-c", "import torch"], capture_output=True).returncode != 0


def test_it_plans_the_same_numbers(light: Path, exported: Path) -> None:
    from burnish.exported import ExportedPolicy

    state = np.random.default_rng(1).normal(size=(4, 15)).round(3)
    words = [light, "-c", ACT, str(exported), json.dumps(state.tolist())]
    theirs = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    policy = ExportedPolicy(exported)
    noise = np.random.default_rng(0).standard_normal((4, *policy.noise_shape), np.float32)
    np.testing.assert_allclose(theirs, policy.act({STATE: state.astype(np.float32)}, noise), atol=1e-6)


def test_it_starts_quickly(light: Path, exported: Path) -> None:
    words, took = [light.with_name("burnish"), "serve", str(exported), "--port", "0"], []
    for _ in range(3):
        begin = time.monotonic()
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None and "ws://" in server.stderr.readline()
            took.append(time.monotonic() - begin)
            server.kill()
    print("serving after", ", ".join(f"{seconds:.2f} s" for seconds in took))
    assert min(took) < MOST_S, took
