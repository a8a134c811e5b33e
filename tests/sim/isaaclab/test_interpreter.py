"""An interpreter with Isaac Lab, and in it all tests that need one, on assets that are made here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from burnish.sim.isaaclab.assets import VARIABLE

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv-isaaclab"
"""Kept: making it anew takes many minutes where the packages must be fetched."""
PACKAGES = ("pytest", "pytest-timeout", "pytest-xdist")
SUITES = {
    "env": ("tests/sim/isaaclab/test_env.py",),
    "contract": ("tests/sim/test_contract.py", "tests/sim/test_about.py", "-k", "isaaclab"),
    "learning": ("tests/sim/isaaclab/test_learning.py",),
}
ASSETS = "import sys; sys.path.insert(0, sys.argv[1]); import assets, pathlib; assets.make(pathlib.Path(sys.argv[2]))"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="session")
def python() -> Path:
    """With burnish, what it takes to train, and Isaac Lab."""
    uv = shutil.which("uv")
    assert uv, "no uv on the path, which installs Isaac Lab: pip install uv"
    extras = [word for extra in ("train", "rl", "isaaclab") for word in ("--extra", extra)]
    elsewhere = os.environ | {"UV_PROJECT_ENVIRONMENT": str(VENV)}
    elsewhere.pop("VIRTUAL_ENV", None)
    sync = [uv, "sync", "--quiet", "--inexact", "--project", str(ROOT), "--no-dev", *extras]
    subprocess.run(sync, env=elsewhere, cwd=ROOT, check=True)
    found = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(found), *PACKAGES], cwd=ROOT, check=True)
    return found


@pytest.fixture(scope="session")
def assets(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the place of Isaac Sim's server."""
    folder = tmp_path_factory.mktemp("assets")
    subprocess.run([str(python), "-c", ASSETS, str(Path(__file__).parent), str(folder)], check=True)
    return folder


@pytest.mark.parametrize("suite", SUITES)
def test_in_an_interpreter_of_its_own(suite: str, python: Path, assets: Path):
    words = [str(python), "-m", "pytest", "-q", "-n", "0", "-m", "slow or not slow", "-o", "timeout=1800"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {VARIABLE: str(assets), "BURNISH_NO_SKIPS": "1"}
    done = subprocess.run([*words, *SUITES[suite]], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"[1-9]\d* passed", done.stdout) and "skipped" not in done.stdout
