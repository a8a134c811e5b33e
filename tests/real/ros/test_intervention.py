"""A human takes the arm over from the policy while it moves, and hands it back."""

from __future__ import annotations

import time

import numpy as np
import pytest
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from burnish.fr3 import DOWN, LIMITS
from burnish.real.ros import qos
from tests.real.ros.conftest import Stack, until

pytestmark = pytest.mark.robots
AWAY = np.append(np.add(DOWN, [0.1, 0.15, 0, 0.1, 0, 0, 0]), 0.06)


def test_takeover_and_hand_back(stack: Stack) -> None:
    node = stack.probe.node
    flags = node.create_publisher(Bool, "/intervention", qos.LATCHED)
    targets = node.create_publisher(JointTrajectory, "/intervention_chunk", 10)
    stack.ready()
    stack.moving()

    def drive() -> bool:
        """Lead it where nobody else would, in small steps."""
        here = np.append(stack.arm.ask("report")["joints"], 0.06)
        point = JointTrajectoryPoint(positions=(here + np.clip(AWAY - here, -0.04, 0.04)).tolist())
        targets.publish(JointTrajectory(joint_names=list(LIMITS.names), points=[point]))
        flags.publish(Bool(data=True))
        time.sleep(0.02)
        return bool(np.abs(AWAY - here)[:7].max() < 0.03)

    assert until(drive, 15.0), stack.probe.told("robot")
    end = time.monotonic() + 1.0
    while time.monotonic() < end:  # and it stays there, for the policy has no say
        assert drive()
    flags.publish(Bool(data=False))
    time.sleep(1.5)
    stack.sways()
    assert stack.violations() == {}


def test_a_human_who_falls_silent_halts_it(stack: Stack) -> None:
    flags = stack.probe.node.create_publisher(Bool, "/intervention", qos.LATCHED)
    stack.ready()
    stack.moving()
    flags.publish(Bool(data=True))
    assert until(lambda: stack.probe.verdict is not None and "intervention_chunk" in stack.probe.verdict.message, 5.0)
    flags.publish(Bool(data=False))
    assert stack.probe.order("resume").success
    stack.moving()
