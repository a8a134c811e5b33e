"""`burnish ros` as a user runs it: a trained policy, two nodes, the simulated robot, one command."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from burnish import cli
from burnish.contract import ACTION, STATE, Contract
from burnish.fr3 import contract
from burnish.real.journal import read_cycles
from burnish.real.ros.main import INSTALL
from burnish.real.server.planner import Planner
from tests.real.franka.conftest import LENGTH, RATE_HZ, Sway
from tests.real.franka.test_deploy import GOAL, policy  # noqa: F401
from tests.real.ros.conftest import ROOT, Probe, until
from tests.real.server.conftest import serve

ADDRESS = f"127.2.{os.getpid() % 250 + 1}.1"


class Swaying(Planner):
    """To and fro, behind a policy server."""

    name, horizon, replan, noise_shape = "sway", LENGTH, 8, (1,)

    def __init__(self) -> None:
        state, action = (replace(contract().fields[key], rate_hz=RATE_HZ) for key in (STATE, ACTION))
        self.contract = Contract({STATE: state}, action)

    def _act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
        return Sway().plan(obs)


@contextmanager
def running(policy: object, out: Path, *more: str) -> Iterator[subprocess.Popen[str]]:  # noqa: F811
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


@pytest.mark.robots
def test_one_command_moves_the_robot_and_outlives_its_nodes(tmp_path: Path, probe: Probe) -> None:
    out = tmp_path / "run"
    with serve(Swaying()) as address, running(f"ws://{address}", out, "--player.mode", "ensemble") as command:
        assert until(lambda: "play" in rules(out), 60), command.poll()
        begin = until(lambda: probe.joints, 5.0).position
        assert until(lambda: np.abs(np.subtract(probe.joints.position, begin)).max() > 0.1, 15)
        robot = children(command.pid, "franka_node")
        os.kill(robot, signal.SIGKILL)
        assert until(lambda: children(command.pid, "franka_node", besides=robot), 20)
        assert until(lambda: probe.told("robot").get("phase") == "holding", 40), probe.told("robot")
        assert rules(out).count("play") == 1, "nobody asked it to move again"
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "'robot' died (status -9) and is started again; the robot is held meanwhile" in said
    rests(out)


@pytest.mark.robots
def test_an_exported_policy_reaches_its_goal(policy: Path, tmp_path: Path, probe: Probe) -> None:  # noqa: F811
    with running(policy, tmp_path / "run") as command:
        assert until(lambda: "play" in rules(tmp_path / "run"), 60), command.poll()
        assert until(lambda: np.abs(np.array(probe.joints.position[:7]) - GOAL[:7]).max() < 0.05, 40)
    rests(tmp_path / "run")


def rests(out: Path) -> None:
    """By the robot's own account and by the recording."""
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
