"""A policy for the walking robots' world: on the simulated robot, over its protocol, and what it is not asked for."""

import json
import os

import numpy as np
import pytest
import torch

from burnish.cli import main
from burnish.errors import BurnishError
from burnish.policies.base import make_policy, save_policy
from burnish.real.unitree.driver import Go2, UnitreeConfig
from burnish.sim.base import make_env
from burnish.unitree import GO2

DOMAIN = 1 + os.getpid() % 200


@pytest.fixture
def standing():
    """A policy of `unitree/velocity` that always asks for the middle of what it may."""
    with make_env("unitree/velocity", 1) as env:
        contract = env.contract
    numbers = {"mean": 0.0, "std": 1.0, "min": -1.0, "max": 1.0}
    stats = {
        key: {name: np.full(field.shape, value, np.float32) for name, value in numbers.items()}
        for key, field in contract.fields.items()
    }
    policy = make_policy("mlp", contract, stats, hidden=(8,), step=None)
    with torch.no_grad():
        for weight in policy.network.parameters():
            weight.zero_()
    return policy


def test_the_middle_of_what_may_be_asked_is_the_standing_pose(standing):
    with make_env("unitree/velocity", 2) as env:
        obs, agent = env.reset([1, 2]), standing.agent(2)
        agent.reset([0, 1], [0, 1])
        assert np.allclose(agent.act(obs).numpy(), np.array(GO2.path[-1]), atol=1e-6)


def test_a_velocity_that_was_not_trained_is_named(standing):
    wrong = Go2.unsuited(UnitreeConfig(velocity=(1.5, 0.0, -0.6)), standing.trained)
    assert wrong == (
        "velocity_x is 1.5 m/s, 0.7 m/s above the range -0.3 … 0.8 m/s; "
        "yaw_rate is -0.6 rad/s, 0.1 rad/s below the range -0.5 … 0.5 rad/s"
    )
    assert not Go2.unsuited(UnitreeConfig(velocity=(0.5, 0.0, 0.0)), standing.trained)
    assert not Go2.unsuited(UnitreeConfig(velocity=(1.5, 0.0, 0.0), force=True), standing.trained)
    assert "told no velocity" in Go2.unsuited(UnitreeConfig(velocity=(0.5, 0.0, 0.0)), {})
    with pytest.raises(BurnishError, match="velocity must be three finite numbers"):
        UnitreeConfig(velocity=(float("nan"), 0.0, 0.0))


@pytest.mark.robots
def test_it_stands_over_the_protocol_and_is_not_armed_for_more(standing, tmp_path, capsys):
    save_policy(standing, tmp_path / "policy")
    words = ["deploy", str(tmp_path / "policy"), "--robot", "unitree-go2", "--sim", "--robot.domain", str(DOMAIN)]
    words += ["--out", str(tmp_path / "out"), "--seconds", "5"]
    assert main([*words, "--robot.velocity", "2", "0", "0"])
    assert "velocity_x is 2 m/s, 1.2 m/s above the range" in capsys.readouterr().err
    assert not main(words)
    report = json.loads((tmp_path / "out/robot.json").read_text())
    assert not report["fell"]
    assert np.linalg.norm(report["place_m"]) < 0.5
