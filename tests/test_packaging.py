"""The rooms at the top level are links into the package, and shadow nobody else's module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("policies", "sim", "real", "rl_finetune", "datasets")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_a_relative_link_into_the_package(room: str):
    link = ROOT / room
    assert link.is_symlink()
    assert link.readlink() == Path(f"burnish/{room}")
    assert link.resolve() == ROOT / "burnish" / room


def test_huggingface_datasets_is_not_shadowed_from_the_checkouts_root():
    assert not (ROOT / "burnish/datasets/__init__.py").exists()
    code = "import importlib.util as u; print(u.find_spec('datasets').origin)"
    origin = Path(_run(code))
    assert not origin.is_relative_to(ROOT / "burnish")
    assert "site-packages" in origin.parts


def test_a_regular_package_named_launch_is_not_shadowed_from_the_checkouts_root(tmp_path: Path):
    """ROS 2's `launch` comes later on the path than the checkout, yet must win."""
    assert not (ROOT / "launch/__init__.py").exists()
    package = tmp_path / "launch"
    package.mkdir()
    (package / "__init__.py").touch()
    origin = _run(f"import sys; sys.path.append({str(tmp_path)!r}); import launch; print(launch.__file__)")
    assert Path(origin) == package / "__init__.py"


def test_file_path_is_import_path():
    code = "import burnish.datasets.demonstrations as a, burnish.sim.seeds as b; print(a.__file__, b.__file__)"
    assert _run(code).split() == [str(ROOT / "burnish/datasets/demonstrations.py"), str(ROOT / "burnish/sim/seeds.py")]


def _run(code: str) -> str:
    """What `code` prints when run in the checkout's root, the current folder first on the path."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
