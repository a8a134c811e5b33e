"""Whatever fails among the nodes, the arm ends held, inside its limits by its own account, and says why."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from trajectory_msgs.msg import JointTrajectory

from burnish.fr3 import LIMITS
from burnish.real.ros import messages, qos
from burnish.real.ros.messages import Mark
from tests.real.ros.conftest import Stack, until

pytestmark = pytest.mark.robots

SIDE = 32
"""Pixels of the policy that sees."""


def again(stack: Stack) -> None:
    """An operator resumes, and it plays on."""
    answer = stack.probe.order("resume")
    assert answer.success, answer.message
    assert until(lambda: stack.rule == "", 2.0)
    stack.moving()


def test_the_policys_node_is_killed(stack: Stack) -> None:
    stack.ready()
    stack.moving()
    stack.kill("policy")
    stack.held("policy", "silence")
    refused = stack.probe.order("play")
    assert not refused.success and "call ~/resume first" in refused.message
    refused = stack.probe.order("resume")
    assert not refused.success and "start a policy_node" in refused.message
    stack.start_policy()
    again(stack)


def test_the_policys_node_hangs(stack: Stack) -> None:
    stack.ready(mode="synchronous")
    stack.moving()
    assert stack.policy is not None
    begin = time.monotonic()
    os.kill(stack.policy.pid, signal.SIGSTOP)
    try:
        assert "no sign of life" in stack.held("policy")
        assert time.monotonic() - begin < 3.0
        assert until(lambda: stack.probe.told("robot")["policy_nodes_alive"] == "0", 2.0)
    finally:
        os.kill(stack.policy.pid, signal.SIGCONT)
    until(lambda: stack.probe.told("robot")["policy_nodes_alive"] == "1", 5.0)
    again(stack)


def test_the_operators_stop(stack: Stack) -> None:
    stack.ready()
    stack.moving()
    assert stack.probe.order("halt").success
    stack.held("operator")
    again(stack)
    assert stack.probe.order("hold").success
    assert until(lambda: stack.arm.ask("report")["still_s"] > 0.1, 3.0)
    stack.moving()


def test_a_reflex_of_the_robots_own(stack: Stack) -> None:
    stack.ready()
    stack.moving()
    stack.arm.ask("reflex")
    assert "joint_reflex" in stack.held("robot")
    again(stack)


@contextmanager
def meddling(stack: Stack, change: Callable[[JointTrajectory], list[JointTrajectory]]) -> Iterator[None]:
    """Another node answers each observation, first, with what `change` makes of a chunk that stands still."""
    node, names = stack.probe.node, LIMITS.names
    publisher = node.create_publisher(JointTrajectory, "/chunk", qos.CHUNK)

    def answer(message: messages.JointState) -> None:
        mark = Mark.parse(message.header.frame_id)
        here = np.tile([*message.position[:7], 0.06], (24, 1))
        for chunk in change(messages.trajectory(Mark(mark.slot), names, here, 20.0, Time())):
            publisher.publish(chunk)

    subscription = node.create_subscription(messages.JointState, "/observation", answer, qos.REQUEST)
    try:
        yield
    finally:
        node.destroy_subscription(subscription)
        node.destroy_publisher(publisher)


def test_permuted_chunks_are_refused_and_both_orders_named(stack: Stack) -> None:
    def permute(chunk: JointTrajectory) -> list[JointTrajectory]:
        chunk.joint_names = chunk.joint_names[::-1]
        return [chunk]

    stack.ready("slow")
    stack.moving()
    with meddling(stack, permute):
        said = stack.held("policy")
    assert "['gripper_width', 'joint7'" in said and "['joint1', 'joint2'" in said
    again(stack)


def test_a_chunk_of_another_length_is_refused(stack: Stack) -> None:
    def cut(chunk: JointTrajectory) -> list[JointTrajectory]:
        chunk.points = chunk.points[:5]
        return [chunk]

    stack.ready("slow")
    stack.moving()
    with meddling(stack, cut):
        assert "a chunk of 5 actions; the policy said 24" in stack.held("policy")


def test_chunks_that_come_twice_late_or_from_nowhere_are_not_played(stack: Stack) -> None:
    def old(chunk: JointTrajectory) -> list[JointTrajectory]:
        slot = Mark.parse(chunk.header.frame_id).slot
        found = []
        for text in (f"slot:{slot - 3}", f"slot:{slot + 7}", "slot:0", "base_link"):
            far = messages.trajectory(Mark(0), LIMITS.names, np.full((24, 8), 2.0), 20.0, Time())
            far.header.frame_id = text
            found.append(far)
        return found

    stack.ready()
    stack.moving()
    with meddling(stack, old):
        stack.moving()
        chunk = stack.probe.chunk
        assert chunk is not None
    stack.sways()
    assert stack.rule == ""
    told = stack.probe.told("robot")
    assert until(lambda: int(stack.probe.told("robot").get("chunks_refused_old", 0)) > 0, 2.0), told
    assert int(stack.probe.told("robot")["chunks_refused_unmarked"]) > 0
    assert stack.violations() == {}


def test_a_camera_that_is_frozen_or_gone(stack: Stack) -> None:
    stack.ready("seeing", cameras="front:=/front")
    node = stack.probe.node
    publisher = node.create_publisher(Image, "/front", qos.SENSOR)
    clock = {"frozen": False}

    def shoot() -> None:
        if not clock["frozen"]:
            clock["stamp"] = node.get_clock().now().to_msg()
        data = bytes(SIDE * SIDE * 3)
        image = Image(height=SIDE, width=SIDE, encoding="rgb8", step=3 * SIDE, data=data)
        image.header.stamp = clock["stamp"]
        publisher.publish(image)

    timer = node.create_timer(1 / 30, shoot)
    try:
        time.sleep(0.5)
        stack.moving()
        clock["frozen"] = True
        stack.held("policy", "silence")
        assert until(lambda: "no new frame of camera 'front'" in stack.probe.told("policy")["message"], 2.0)
        clock["frozen"] = False
        time.sleep(2.5)
        again(stack)
    finally:
        node.destroy_timer(timer)
        node.destroy_publisher(publisher)
    stack.held("policy", "silence")
    assert until(lambda: "no new frame of camera 'front'" in stack.probe.told("policy")["message"], 2.0)


def test_a_policy_that_sees_needs_its_camera_named(stack: Stack) -> None:
    stack.start_robot()
    with pytest.raises(AssertionError):
        stack.start_policy("seeing")
    assert until(lambda: "for which parameter cameras names no topic" in stack.probe.told("policy")["message"], 3.0)


def test_the_robots_node_is_killed_and_another_one_takes_over(stack: Stack) -> None:
    stack.ready()
    stack.moving()
    stack.kill("robot")
    assert until(lambda: stack.arm.ask("report")["still_s"] > 0.1, 4.0)
    assert stack.violations() == {}
    stack.start_robot()
    stack.moving()
    assert stack.violations() == {}
