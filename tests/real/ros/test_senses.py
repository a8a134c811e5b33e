"""What a policy is told that no sensor measures: where to go, by the settings of the robot's own node."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from burnish.contract import ACTION, ENVIRONMENT_STATE, STATE, Contract, Field
from burnish.gait import NAMES, UNITS, VELOCITY
from burnish.real.server.planner import Planner
from burnish.unitree import GO2, contract
from tests.real.ros.conftest import ROOT, Probe, until
from tests.real.server.conftest import serve

pytestmark = pytest.mark.robots
RATE_HZ, DOMAIN, SPEED = 50.0, 228, (0.3, 0.0, 0.1)


class Standing(Planner):
    """Stands, and remembers what it was told."""

    name, horizon, replan, noise_shape = "standing", 8, 4, (1,)
    trained = dict.fromkeys(VELOCITY, (-0.5, 0.5))

    def __init__(self) -> None:
        whole = contract(GO2)
        state, action = (replace(whole.fields[key], rate_hz=RATE_HZ) for key in (STATE, ACTION))
        way = Field((len(NAMES),), NAMES, tuple(UNITS.values()), "body", RATE_HZ, "mean_std")
        self.contract, self.told = Contract({STATE: state, ENVIRONMENT_STATE: way}, action), np.zeros(0)

    def _act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
        self.told = obs[ENVIRONMENT_STATE]
        return np.tile(np.array(GO2.path[-1], np.float32), (self.horizon, 1))


@contextmanager
def running(robot: str, address: str, out: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    words = ["ros", robot, f"ws://{address}", "--sim", "--out", str(out), *more]
    process = subprocess.Popen([sys.executable, "-m", "burnish", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def test_a_policy_that_walks_is_told_where_to(tmp_path: Path, probe: Probe) -> None:
    planner, velocity = Standing(), [str(part) for part in SPEED]
    probe.diagnostics.clear()  # they may be of other nodes before
    more = ["--robot.domain", str(DOMAIN), "--robot.velocity", *velocity]
    with serve(planner) as address, running("unitree-go2", address, tmp_path, *more) as command:
        assert until(lambda: probe.told("robot").get("phase") == "playing", 60.0), command.poll()
        assert until(lambda: len(planner.told), 10.0), probe.told("policy")
        assert np.allclose(planner.told[:3], SPEED) and np.isclose(np.hypot(*planner.told[3:]), 1.0)
        assert "rule" not in probe.told("robot"), probe.told("robot")


@pytest.mark.parametrize(
    ("robot", "more", "why"),
    [
        ("unitree-go2", ["--robot.domain", str(DOMAIN), "--robot.velocity", "2", "0", "0"], "was not trained for this"),
        ("franka", ["--robot.address", "127.6.6.6"], "tell the policy's node of which task"),
    ],
)
def test_what_it_cannot_be_told_is_refused(tmp_path: Path, robot: str, more: list[str], why: str) -> None:
    with serve(Standing()) as address, running(robot, address, tmp_path, *more) as command:
        _, said = command.communicate(timeout=60)
        assert command.returncode == 2 and why in said
