"""`burnish ros` as a user runs it: a trained policy, two nodes, the simulated robot, one command."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from burnish import cli
from burnish.real.journal import read_cycles
from burnish.real.ros.main import INSTALL
from tests.real.franka.test_deploy import GOAL, policy  # noqa: F401
from tests.real.ros.conftest import ROOT, Probe, until

ADDRESS = f"127.2.{os.getpid() % 250 + 1}.1"


@contextmanager
def running(policy: Path, out: Path, *more: str) -> Iterator[subprocess.Popen[str]]:  # noqa: F811
    words = ["ros", "franka", str(policy), "--sim", "--robot.address", ADDRESS, "--out", str(out), *more]
    process = subprocess.Popen([sys.executable, "-m", "burnish", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def rules(out: Path) -> list[str]:
    path = out / "events.jsonl"
    return [json.loads(line)["rule"] for line in path.read_text().splitlines()] if path.exists() else []


def test_one_command_moves_the_robot_and_outlives_its_nodes(
    policy: Path,  # noqa: F811
    tmp_path: Path,
    probe: Probe,
) -> None:
    out = tmp_path / "run"
    with running(policy, out) as command:
        assert until(lambda: "play" in rules(out), 60), command.poll()
        time.sleep(4.0)
        until(lambda: probe.joints is not None, 5.0)
        assert probe.joints is not None
        assert np.abs(np.array(probe.joints.position[:7]) - GOAL[:7]).max() < 0.1
        robot = children(command.pid, "franka_node")
        os.kill(robot, signal.SIGKILL)
        again = until(lambda: children(command.pid, "franka_node", besides=robot), 20)
        assert again
        assert until(lambda: probe.told("robot").get("phase") == "holding", 40), probe.told("robot")
        assert rules(out).count("play") == 1, "nobody asked it to move again"
        assert until(lambda: "/robot" in [f"/{name}" for name in probe.node.get_node_names()], 10)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "'robot' died (status -9) and is started again; the robot is held meanwhile" in said
    seen = json.loads((out / "robot.json").read_text())
    assert seen["violations"] == {} and seen["still_s"] > 0.05
    names, cycles = read_cycles(out)
    assert abs(cycles[-1, names.index("velocity/joint1")]) < 1e-3


def children(parent: int, executable: str, besides: int = 0) -> int:
    """The process of that node; 0 if there is none."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode().split("\0")
            status = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if executable in words and int(status[1]) == parent and int(path.name) != besides:
            return int(path.name)
    return 0


def test_a_policy_that_is_not_there_ends_it(tmp_path: Path) -> None:
    with running(tmp_path / "nothing", tmp_path / "run") as command:
        _, said = command.communicate(timeout=100)
    assert command.returncode == 2
    assert "nothing there; name a folder" in said and "the node 'policy' cannot start" in said


def test_without_rclpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert cli.main(["ros", "franka", "some/checkpoint"]) == 2
    assert INSTALL in capsys.readouterr().err


def test_a_wrong_robot_is_answered_with_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ros", "frank", "some/checkpoint"]) == 2
    assert "did you mean 'franka'?" in capsys.readouterr().err
