"""The launch files by two stand-ins for ROS's own modules; the package by building and installing it."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, ClassVar

import pytest

from burnish import registry
from burnish.commands import ros
from burnish.real.ros.main import WITNESSES
from burnish.real.ros.words import ROBOTS, executable

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
KNOWN = {"robot_node": "robot", "policy_node": "policy"}


class Made:
    """Any class of `launch`: remembers how it was called."""

    made: ClassVar[list[tuple[str, tuple[Any, ...], dict[str, Any]]]] = []

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *words: Any, **settings: Any) -> Any:
        Made.made.append((self.name, words, settings))
        return Made.made[-1]


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def launched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the launch file makes."""
    names = {
        "launch": ["LaunchDescription"],
        "launch.actions": ["DeclareLaunchArgument", "ExecuteProcess"],
        "launch.conditions": ["IfCondition"],
        "launch.substitutions": ["IfElseSubstitution", "LaunchConfiguration"],
        "launch_ros": [],
        "launch_ros.actions": ["Node"],
        "launch_ros.parameter_descriptions": ["ParameterValue"],
    }
    for module, classes in names.items():
        stand_in: Any = types.ModuleType(module)
        for name in classes:
            setattr(stand_in, name, Made(name))
        monkeypatch.setitem(sys.modules, module, stand_in)
    Made.made = []
    spec = importlib.util.spec_from_file_location("launched", request.param)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.generate_launch_description()
    return Made.made


def of(launched: list[Any], name: str) -> list[dict[str, Any]]:
    return [settings for made, _, settings in launched if made == name]


def test_every_node_and_parameter_exists(launched: list[Any]) -> None:
    nodes = {node["name"]: node for node in of(launched, "Node")}
    assert nodes.keys() == {"policy", "robot"}
    text = "".join((ROOT / f"burnish/real/ros/{name}.py").read_text() for name in ("node", "policy_node", "robot_node"))
    declared = set(re.findall(r'declare\(\s*self, "(\w+)"', text)) | {"player.mode", "robot.address"}
    for node in nodes.values():
        assert node["package"] == "burnish" and node["executable"] in {"policy_node", *ROBOTS}
        assert node["parameters"][0].keys() <= declared
    arguments = {words[0] for made, words, _ in launched if made == "DeclareLaunchArgument"}
    assert {"checkpoint", "sim", "address", "mode"} <= arguments
    assert {words[0] for made, words, _ in launched if made == "LaunchConfiguration"} == arguments


def test_the_simulated_robot_is_one_of_ours(launched: list[Any]) -> None:
    (process,) = of(launched, "ExecuteProcess")
    assert process["cmd"][:2] == ["burnish", "sim-robot"]
    robot = process["cmd"][2]
    name = robot if isinstance(robot, str) else "unitree-go2"
    if name in registry.robots.names():
        assert executable(name) == next(node for node in of(launched, "Node") if node["name"] == "robot")["executable"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_but_launch_is_imported(path: Path) -> None:
    for part in ast.walk(ast.parse(path.read_text())):
        if isinstance(part, ast.Import | ast.ImportFrom):
            names = [part.module] if isinstance(part, ast.ImportFrom) else [alias.name for alias in part.names]
            for name in names:
                first = (name or "").partition(".")[0]
                assert first in {"launch", "launch_ros"} or first in sys.stdlib_module_names


def test_burnish_ros_starts_the_same(launched: list[Any]) -> None:
    robot = next(node for node in of(launched, "Node") if node["name"] == "robot")
    given = robot["parameters"][0]["robot"]
    name = given if isinstance(given, str) else "unitree-g1"
    if name not in registry.robots.names():
        return
    config = ros.configure([name, "some/checkpoint", "--robot.address", "lo", "--cameras", "front:=/front"])
    started = {part.name: part for part in ros.parts(config)}
    for node in of(launched, "Node"):
        part = started[node["name"]]
        assert part.executable == node["executable"]
        assert node["parameters"][0].keys() <= part.parameters.keys() | {"cameras", "objects"}


def test_the_manifest_names_every_ros_package_that_is_imported() -> None:
    needs = {part.text for part in ET.parse(ROOT / "package.xml").iter("exec_depend")}
    text = "".join(path.read_text() for path in (ROOT / "burnish/real/ros").glob("*.py"))
    used = set(re.findall(r"^(?:from|import) (\w+_msgs|\w+_srvs|\w+_interfaces|rclpy)\b", text, re.MULTILINE))
    assert used | {"launch", "launch_ros"} == needs


def copied(source: Path) -> None:
    """What of the repository a build needs."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if name.startswith(("burnish/real/", "launch/", "resource/")) or (
            "/" not in name and not (ROOT / name).is_symlink()
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name, follow_symlinks=False)


def lies_where_ros_looks(prefix: Path) -> None:
    for name in ("share/burnish/package.xml", "share/ament_index/resource_index/packages/burnish"):
        assert (prefix / name).exists(), name
    assert {path.name for path in (prefix / "share/burnish/launch").iterdir()} == {path.name for path in FILES}
    for name in ("policy_node", *ROBOTS, *WITNESSES):
        assert os.access(prefix / "lib/burnish" / name, os.X_OK), name
        assert os.access(prefix / "bin" / name, os.X_OK), name
    assert next(prefix.rglob("burnish/real/ros/fastdds.xml")).exists()


def test_an_installed_package_lies_where_ros_looks(tmp_path: Path) -> None:
    source = tmp_path / "source"
    copied(source)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    wheel = source / done.stdout.split()[-1]
    prefix = tmp_path / "prefix"
    install = ["uv", "pip", "install", "--no-deps", "--offline", "--prefix", str(prefix), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=100)
    lies_where_ros_looks(prefix)


def test_colcon_builds_it_in_a_workspace(tmp_path: Path) -> None:
    copied(tmp_path / "src/burnish")
    words = [sys.executable, "-m", "colcon", "build", "--packages-select", "burnish"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    lies_where_ros_looks(tmp_path / "install/burnish")
