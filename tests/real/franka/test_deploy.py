"""`burnish deploy` as a user runs it: a trained policy, its own server, the simulated robot, one command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from burnish.contract import ACTION, STATE, Contract
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, Episode, compute_stats
from burnish.fr3 import DOWN, contract
from burnish.policies.base import make_policy
from burnish.policies.export import ExportConfig, export
from burnish.policies.train import TrainConfig, train
from burnish.real.journal import read_cycles
from burnish.run import Run

pytestmark = pytest.mark.robots

GOAL = np.append(np.add(DOWN, [0.3, 0.2, -0.2, 0.3, 0.1, 0.2, -0.3]), 0.04)
STEP = 0.03
"""rad per action."""


def reaching(contract: Contract, episodes: int = 40) -> Demonstrations:
    """From around the start pose to `GOAL`, in a straight line through the joints."""
    rng, found = np.random.default_rng(0), []
    for _ in range(episodes):
        q = np.append(np.array(DOWN) + rng.uniform(-0.3, 0.3, 7), 0.06)
        states, actions = [], []
        for _ in range(50):
            wish = q + np.clip(GOAL - q, -STEP, STEP)
            states.append(np.concatenate([q[:7], rng.uniform(-1, 1, 7), q[7:]]))  # how fast it is matters nothing
            actions.append(wish)
            q = wish + np.append(rng.normal(0, 0.02, 7), 0.0)
        found.append(Episode({STATE: np.float32(states)}, np.float32(actions)))
    return Demonstrations.of(contract, "franka/reach", found)


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported policy that reaches `GOAL`, at 20 Hz."""
    whole, folder = contract(), tmp_path_factory.mktemp("reach")
    demos = reaching(Contract({STATE: replace(whole.observation[STATE], rate_hz=20.0)}, _slow(whole)))
    torch.manual_seed(0)
    made = make_policy("flow", demos.contract, compute_stats(demos), horizon=16, replan=8, width=64, depth=2, steps=4)
    train(Run(folder / "train", "train", {}), made, ChunkSampler(demos, 16, 64, seed=0), TrainConfig(steps=800))
    export(made, folder / "export", ExportConfig(calls=5, observations=16))
    return folder / "export"


def _slow(whole: Contract):
    return replace(whole.fields[ACTION], rate_hz=20.0, normalization="min_max")


@pytest.fixture
def command(policy: Path, address: str, tmp_path: Path) -> Iterator[list[str]]:
    other = address.rsplit(".", 1)[0] + ".99"  # beside the one of the other tests
    words = ["deploy", str(policy), "--robot", "franka", "--sim", "--address", other, "--out", str(tmp_path / "run")]
    yield [sys.executable, "-m", "burnish", *words]


def test_a_policy_moves_the_simulated_robot_to_its_goal(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*command, "--seconds", "4"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    names, cycles = read_cycles(tmp_path / "run")
    last = [cycles[-1, names.index(f"measured/joint{number}")] for number in range(1, 8)]
    assert np.abs(np.array(last) - GOAL[:7]).max() < 0.05
    assert "no halt" in done.stderr
    assert json.loads((tmp_path / "run" / "robot.json").read_text())["violations"] == {}


@pytest.fixture
def playing(command: list[str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command a while after the robot began to move; whatever comes of the test, it does not outlive it."""

    def from_a_terminal() -> None:  # also where these tests were told to outlive theirs, as by nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    events = tmp_path / "run" / "events.jsonl"
    words = [*command, "--seconds", "60"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=from_a_terminal) as running:
        try:
            while running.poll() is None and not (events.exists() and "play" in events.read_text()):
                time.sleep(0.1)
            time.sleep(0.8)
            yield running
        finally:
            running.kill()


def came_to_rest(running: subprocess.Popen[str], run: Path) -> dict[str, Any]:
    """Assert that it stopped the robot before it ended; what the robot saw."""
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130 and "stopped" in said
    seen = json.loads((run / "robot.json").read_text())
    assert seen["violations"] == {}
    names, cycles = read_cycles(run)
    assert np.abs(cycles[-1, names.index("velocity/joint1")]) < 1e-3
    return seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_lets_it_come_to_rest(playing: subprocess.Popen[str], tmp_path: Path, number: int) -> None:
    os.kill(playing.pid, number)
    assert came_to_rest(playing, tmp_path / "run")["still_s"] > 0  # asked as soon as it was let go of


def test_a_second_ctrl_c_does_not_cut_the_first_one_short(playing: subprocess.Popen[str], tmp_path: Path) -> None:
    for _ in range(20):
        os.kill(playing.pid, signal.SIGINT)
        time.sleep(0.02)
    came_to_rest(playing, tmp_path / "run")


def test_a_policy_that_is_killed_leaves_the_robot_held(policy: Path, tmp_path: Path, address: str) -> None:
    from burnish.real.planning import open_plans
    from burnish.real.simulated import SimulatedProcess
    from tests.real.franka.conftest import Bench

    other = address.rsplit(".", 1)[0] + ".98"
    with (
        SimulatedProcess("franka", ["--address", other]) as robot,
        open_plans(str(policy), tmp_path) as plans,
    ):
        bench = Bench(robot, tmp_path / "run")
        with bench.session(plans, "synchronous") as session:
            bench.moving(session, 0.6)
            plans.process.kill()
            bench.held(session, "policy")
            session.resume()
            session.play()
            session.run(0.6)
            os.kill(plans.process.pid, signal.SIGSTOP)
            bench.held(session, "silence", seconds=4.0)
            session.run(1.0)
            session.resume()
            session.play()
            session.run(0.5)
            assert session.row is not None and session.row.phase == "playing", bench.said


def test_what_does_not_fit_is_refused_before_anything_moves(tmp_path: Path, command: list[str]) -> None:
    whole = contract()
    named = replace(_slow(whole), names=whole.action.names[::-1])
    demos = reaching(Contract({STATE: replace(whole.observation[STATE], rate_hz=20.0)}, named), episodes=2)
    made = make_policy("flow", demos.contract, compute_stats(demos), horizon=16, width=16, depth=1, steps=1)
    export(made, tmp_path / "wrong", ExportConfig(calls=2, observations=4))
    words = [str(tmp_path / "wrong") if word == command[4] else word for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert "action.names" in done.stderr and "Nothing was moved" in done.stderr


def test_a_robot_that_is_not_there_is_named(policy: Path, tmp_path: Path) -> None:
    words = ["deploy", str(policy), "--robot", "franka", "--address", "127.0.99.99", "--out", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-m", "burnish", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "franka at 127.0.99.99" in done.stderr and "check --address" in done.stderr
    unknown = [*words[:3], "frank", *words[4:]]
    done = subprocess.run([sys.executable, "-m", "burnish", *unknown], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "did you mean 'franka'?" in done.stderr
