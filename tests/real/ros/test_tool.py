"""A policy that commands poses of the hand, through ROS 2: the same nodes, the robot named `franka-tool`."""

from __future__ import annotations

import pytest

from tests.real.ros.conftest import Stack, until

pytestmark = pytest.mark.robots


def test_poses_move_the_arm_through_nodes(stack: Stack) -> None:
    stack.ready("poses", mode="realtime", robot="franka-tool")
    stack.moving(2.0)
    assert stack.rule == ""
    answer = stack.probe.order("halt")
    assert answer.success, answer.message
    stack.held("operator")
    for order in ("resume", "play"):
        answer = stack.probe.order(order)
        assert answer.success, answer.message
    stack.sways()
    assert until(lambda: stack.violations() == {}, 1.0)


def test_a_policy_of_joints_is_refused(stack: Stack) -> None:
    stack.ready("sway", robot="franka-tool")
    assert not stack.probe.change("robot", "configure")
    assert until(lambda: "action.names" in stack.probe.told("robot")["message"], 3.0), stack.probe.told("robot")
