"""A policy for the walking robots' world: on the simulated robot, over its protocol, and what it is not asked for."""

import json
import os

import numpy as np
import pytest
import torch

from burnish import gait, ranges
from burnish.cli import main
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.datasets.experts.unitree import balancing
from burnish.errors import BurnishError
from burnish.exported import ExportedPolicy
from burnish.policies.base import make_policy, save_policy
from burnish.policies.export import ExportConfig, export
from burnish.real.journal import Recording
from burnish.real.recorded import PLAYING
from burnish.real.unitree.driver import Go2, UnitreeConfig, UnitreeG1
from burnish.rl_finetune.moments import Moments
from burnish.sim.base import make_env
from burnish.tracking import Reference
from burnish.unitree import G1, GO2

DOMAIN = 1 + os.getpid() % 200


def as_they_are(contract):
    """Statistics by which a network reads what is observed as it is."""
    numbers = {"mean": 0.0, "std": 1.0, "min": -1.0, "max": 1.0}
    return {
        key: {name: np.full(field.shape, value, np.float32) for name, value in numbers.items()}
        for key, field in contract.fields.items()
    }


@pytest.fixture
def standing():
    """A policy of `unitree/velocity` that always asks for the middle of what it may."""
    with make_env("unitree/velocity", 1) as env:
        contract = env.contract
    policy = make_policy("mlp", contract, as_they_are(contract), hidden=(8,), step=None)
    with torch.no_grad():
        for weight in policy.network.parameters():
            weight.zero_()
    return policy


def test_the_middle_of_what_may_be_asked_is_the_standing_pose(standing):
    with make_env("unitree/velocity", 2) as env:
        obs, agent = env.reset([1, 2]), standing.agent(2)
        agent.reset([0, 1], [0, 1])
        assert np.allclose(agent.act(obs).numpy(), np.array(GO2.path[-1]), atol=1e-6)


def test_exported_it_acts_as_before(tmp_path):
    """As `burnish export` says of two policies: the one that follows a clip reads the most."""
    with make_env("unitree/g1-track", 3) as env:
        obs, contract = env.reset([1, 2, 3]), env.contract
    policy = make_policy("mlp", contract, Moments(contract).stats(), hidden=(16,), step=None)
    export(policy, tmp_path / "onnx", ExportConfig(observations=8, calls=2))
    agent = policy.agent(3)
    agent.reset([0, 1, 2], [0, 1, 2])
    found = ExportedPolicy(tmp_path / "onnx").act(
        {key: value.numpy() for key, value in obs.items()}, np.random.default_rng(0)
    )
    np.testing.assert_allclose(found[:, 0], agent.act(obs).numpy(), atol=1e-4)


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


def test_a_clip_is_given_to_a_policy_that_follows_one_and_to_no_other():
    tracker = Reference(G1, "greet").ranges
    config = UnitreeConfig(clip="greet")
    assert not UnitreeG1.unsuited(config, tracker)
    assert UnitreeG1.senses(config)[ENVIRONMENT_STATE]().shape == (len(tracker),)
    with pytest.raises(BurnishError, match=r"follows a clip: give --robot.clip NAME or FILE.csv"):
        UnitreeG1.unsuited(UnitreeConfig(), tracker)
    with pytest.raises(BurnishError, match=r"follows no clip: give no --robot.clip greet"):
        UnitreeG1.unsuited(config, dict.fromkeys(gait.NAMES, (-1.0, 1.0)))


def test_a_clip_that_was_not_trained_is_named(tmp_path):
    trained, path = Reference(G1, "greet").ranges, tmp_path / "turn.csv"
    path.write_text("time_s,waist_yaw_joint\n0,0\n0.1,0.3\n0.2,0.9\n")
    assert UnitreeG1.unsuited(UnitreeConfig(clip=str(path)), trained) == (
        "waist_yaw_joint_reference is 0.9 rad, 0.35 rad above the range -0.55 … 0.55 rad; "
        "waist_yaw_joint_reference_velocity is 4.5 rad/s, 3.52 rad/s above the range -1.137 … 0.981 rad/s"
    )
    assert not UnitreeG1.unsuited(UnitreeConfig(clip=str(path), force=True), trained)
    path.write_text("time_s,waist_yaw_joint\n0,0\n0.1,0.05\n0.2,0.1\n")
    assert not UnitreeG1.unsuited(UnitreeConfig(clip=str(path)), trained)


def test_who_walks_while_it_follows_a_clip_is_told_of_both():
    with make_env("unitree/g1-walk-track", 1) as env:
        field = env.contract.observation[ENVIRONMENT_STATE]
        trained, told = ranges.told(env.contract), env.reset([0])[ENVIRONMENT_STATE]
    config = UnitreeConfig(clip="greet", velocity=(0.2, 0.0, 0.0))
    assert not UnitreeG1.unsuited(config, trained)
    found = UnitreeG1.senses(config)[ENVIRONMENT_STATE]()
    assert found.shape == field.shape
    np.testing.assert_allclose(found[5:], told[0, 5:], atol=1e-4)
    too_fast = UnitreeG1.unsuited(UnitreeConfig(clip="greet", velocity=(0.8, 0.0, 0.0)), trained)
    assert too_fast == "velocity_x is 0.8 m/s, 0.5 m/s above the range 0 … 0.3 m/s"
    with pytest.raises(BurnishError, match="the policy walks while it follows a clip"):
        UnitreeG1.unsuited(UnitreeConfig(clip="greet"), trained)


@pytest.fixture
def regulator():
    """A policy of `unitree/g1-track` that is the expert's linear law: an ELU is linear where it is above nothing."""
    with make_env("unitree/g1-track", 1) as env:
        contract = env.contract
    names = [name for key in (ENVIRONMENT_STATE, STATE) for name in contract.observation[key].names]
    size, raised = len(G1.joints), 100.0
    rows = torch.cat([torch.zeros(1, len(names)), torch.eye(len(names))])
    answer = balancing()(dict(zip(names, rows.split(1, dim=1), strict=True)))
    policy = make_policy("mlp", contract, as_they_are(contract), hidden=(size,), step=None)
    first, last = policy.network[0], policy.network[2]
    with torch.no_grad():
        first.weight[:], first.bias[:] = (answer[1:] - answer[0]).T, raised
        last.weight[:] = torch.diag(1 / policy.reach)
        last.bias[:] = (answer[0] - raised - policy.middle) / policy.reach
    return policy


@pytest.mark.robots
def test_a_g1_follows_its_clip_without_its_strap(regulator, tmp_path):
    save_policy(regulator, tmp_path / "policy")
    words = ["deploy", str(tmp_path / "policy"), "--robot", "unitree-g1", "--sim", "--robot.domain", str(DOMAIN)]
    assert not main([*words, "--robot.clip", "greet", "--out", str(tmp_path / "out"), "--seconds", "7"])
    report = json.loads((tmp_path / "out/robot.json").read_text())
    assert (report["fell"], report["strapped"]) == (False, False)
    recording = Recording(tmp_path / "out")
    rows = np.array(recording.rows)
    rows = rows[rows[:, recording.names.index("phase")] == PLAYING]
    clock = rows[:, recording.names.index("time_s")]
    joints = rows[:, [recording.names.index(joint) for joint in G1.follows]]
    assert clock[-1] - clock[0] > 5.0
    asked = Reference(G1, "greet").told(clock - clock[0])[:, : len(G1.follows)]
    assert np.abs(joints - asked).mean() < 0.05 < np.abs(asked - asked[0]).max()


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
