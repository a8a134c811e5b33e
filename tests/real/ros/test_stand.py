"""A task of the Franka world through ROS 2: what lies before the robot comes by topics, the policy is a node."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from burnish.cli import main
from burnish.real.journal import read_cycles
from burnish.real.player import PlayerConfig
from burnish.real.ros.stand import NodesStand
from burnish.real.safety import SafetyConfig
from burnish.real.server.planner import Planner
from burnish.real.simulated import SimulatedProcess
from burnish.real.stands import Setup
from burnish.sim.franka.env import contract
from burnish.sim.franka.tasks import TASKS
from tests.real.franka.test_trial import ACTIONS, SEED, Script
from tests.real.ros.conftest import Probe, until
from tests.real.server.conftest import serve

pytestmark = pytest.mark.robots


class Lifting(Planner):
    """The world's scripted expert, behind a policy server."""

    name, horizon, replan, noise_shape = "lift", ACTIONS, ACTIONS, (1,)

    def __init__(self) -> None:
        self.contract, self._script = contract(TASKS["lift"]), Script()

    def _act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
        return self._script.plan(obs)


@pytest.fixture(scope="module")
def lifting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProcess]:
    log, address = tmp_path_factory.mktemp("lift") / "log", f"127.3.{os.getpid() % 250 + 1}.1"
    with SimulatedProcess("franka", ["--address", address, "--task", "franka/lift"], log=log) as process:
        yield process


@contextmanager
def standing(robot: SimulatedProcess, folder: Path) -> Iterator[NodesStand]:
    """The expert behind a policy server, the robot before its cube, nodes between them."""
    with serve(Lifting()) as address:
        setup = Setup(f"ws://{address}", folder, "franka/lift", "franka", PlayerConfig(), SafetyConfig())
        with NodesStand(setup, robot) as stand:
            yield stand


def test_the_expert_lifts_the_cube_through_nodes_topics_and_safety(
    lifting: SimulatedProcess, tmp_path: Path, probe: Probe
) -> None:
    with standing(lifting, tmp_path) as stand:
        first = stand.play(SEED, 200, tmp_path / "first")
        again = stand.play(SEED + 1, 200, tmp_path / "again")
        assert until(lambda: "age_of_object_s" in probe.told("policy"), 5.0)
        assert float(probe.told("policy")["age_of_object_s"]) < 0.2
    assert first.solved and first.halts == 0, probe.told("robot")
    assert again.solved and again.halts == 0, probe.told("robot")
    names, cycles = read_cycles(tmp_path / "again")
    assert cycles[-1, names.index("slot")] >= again.actions > 20
    assert lifting.ask("report")["violations"] == {}


def test_what_is_out_of_sight_is_named_and_the_robot_is_held(
    lifting: SimulatedProcess, tmp_path: Path, probe: Probe
) -> None:
    with standing(lifting, tmp_path) as stand:
        probe.change("policy", "deactivate")
        probe.change("policy", "cleanup")
        probe.set("policy", objects=["object:=/nobody/tells/pose"])
        probe.change("policy", "configure")
        probe.change("policy", "activate")
        played = stand.play(SEED, 200, tmp_path / "blind")
        assert "no pose of object 'object' yet, on /nobody/tells/pose" in probe.told("policy")["message"]
    assert not played.solved and played.halts == 1
    assert lifting.ask("report")["violations"] == {}


def test_a_policy_of_a_task_must_be_told_which(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serve(Lifting()) as address:
        words = ["ros", "franka", f"ws://{address}", "--sim", "--robot.address", f"127.4.{os.getpid() % 250 + 1}.1"]
        assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "of which task: parameter task:=franka/lift" in capfd.readouterr().err
