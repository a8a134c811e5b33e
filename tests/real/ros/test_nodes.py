"""Policy and robot as nodes: what they say to each other, and what stands between two lifecycle states."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import JointState

from burnish.contract import STATE
from burnish.errors import BurnishError
from burnish.fr3 import contract
from burnish.real.journal import read_cycles
from burnish.real.ros import messages, qos
from burnish.real.ros.messages import Mark
from tests.real.ros.conftest import Stack, until

pytestmark = pytest.mark.robots


@pytest.mark.parametrize("mode", ["synchronous", "ensemble", "realtime"])
def test_the_arm_is_moved_through_nodes(stack: Stack, mode: str) -> None:
    probe = stack.probe
    stack.ready("slow" if mode == "realtime" else "sway", mode)
    stack.moving()
    assert probe.state("robot") == "active"
    assert probe.joints is not None and probe.joints.name[:2] == ["joint1", "joint2"]
    assert np.abs(np.subtract(probe.joints.position[:7], stack.arm.ask("report")["joints"])).max() < 0.1
    assert until(lambda: probe.told("robot").get("phase") == "playing"), probe.told("robot")
    assert float(probe.told("robot")["compute_p99_us"]) > 0
    if mode == "realtime":
        assert until(lambda: probe.under_way is not None)
        assert "frozen:" in probe.under_way.header.frame_id
    assert probe.change("robot", "deactivate")
    assert until(lambda: stack.arm.ask("report")["still_s"] > 0.1, 3.0)
    assert probe.change("robot", "activate")
    time.sleep(0.5)
    stack.sways()
    assert stack.violations() == {}


def test_a_policy_for_another_robot_is_refused(stack: Stack) -> None:
    stack.ready("permuted")
    assert not stack.probe.change("robot", "configure")
    assert stack.probe.state("robot") == "unconfigured"
    assert until(lambda: "action.names" in stack.probe.told("robot").get("message", ""), 5.0)
    told = stack.probe.told("robot")["message"]
    assert "'joint1', 'joint2'" in told and "'joint7', 'joint6'" in told
    assert not stack.probe.order("play").success


def test_without_a_policy_nothing_is_connected(stack: Stack) -> None:
    stack.start_robot()
    assert not stack.probe.change("robot", "configure")
    assert until(lambda: "start a policy_node" in stack.probe.told("robot").get("message", ""), 5.0)


def test_wrong_parameters_are_refused_by_name(stack: Stack) -> None:
    probe = stack.probe
    stack.ready()
    probe.set("robot", **{"player.mode": "hasty"})
    assert not probe.change("robot", "configure")
    assert until(lambda: "player.mode is 'hasty'" in probe.told("robot").get("message", ""), 5.0)
    probe.set("robot", **{"player.mode": "ensemble", "safety.share": 1.5})
    assert not probe.change("robot", "configure")
    assert until(lambda: "share must be above 0" in probe.told("robot").get("message", ""), 5.0)
    probe.set("robot", **{"safety.share": 0.8})
    assert probe.change("robot", "configure")
    with pytest.raises(BurnishError, match="clean up the node"):
        probe.set("robot", **{"safety.share": 1.0})


def test_sigterm_while_it_moves(stack: Stack) -> None:
    stack.ready()
    stack.moving()
    assert stack.end(stack.robot) == 0
    assert stack.arm.ask("report")["still_s"] > 0.05 and stack.violations() == {}
    names, cycles = read_cycles(stack.folder)
    assert abs(cycles[-1, names.index("velocity/joint1")]) < 1e-3
    assert stack.end(stack.policy) == 0


def test_a_folder_that_is_a_file_is_said_and_not_swallowed(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stack.ready()
    stack.probe.set("robot", out=str(tmp_path / "file"))
    assert not stack.probe.change("robot", "configure")
    assert stack.probe.state("robot") == "unconfigured"
    assert until(lambda: "File exists" in stack.probe.told("robot").get("message", ""), 5.0), stack.probe.told("robot")
    stack.probe.set("robot", out=str(tmp_path / "folder"))
    assert stack.probe.change("robot", "configure"), stack.probe.told("robot")


def test_an_observation_of_too_few_numbers_is_named_and_the_policy_lives(stack: Stack) -> None:
    stack.start_policy()
    probe, field = stack.probe, contract().observation[STATE]
    asks = probe.node.create_publisher(JointState, "/observation", qos.REQUEST)
    assert until(lambda: asks.get_subscription_count(), 10.0)
    for count, slot in ((3, 1), (15, 2)):
        probe.chunk = None
        asks.publish(messages.observation(Mark(slot), {STATE: field}, {STATE: np.zeros(count)}, Time()))
        if count == 3:
            assert until(lambda: "and 3 numbers, expected" in probe.told("policy").get("message", ""), 5.0)
    assert until(lambda: probe.chunk is not None and probe.chunk.header.frame_id == "slot:2", 5.0)
    probe.node.destroy_publisher(asks)
