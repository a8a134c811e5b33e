"""A human takes over with a joystick (the kernel's protocol through a FIFO), drives, and hands back."""

from __future__ import annotations

import os

import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from burnish.fr3 import DOWN, LIMITS
from burnish.real.joystick import AXIS, BUTTON, EVENT, INITIAL
from tests.real.ros.bench import bench

START = np.array([*DOWN, 0.04])


@pytest.fixture
def graph(tmp_path):
    with bench(tmp_path) as made:
        yield made


def test_takeover_drive_and_hand_back(graph, tmp_path):
    device = tmp_path / "js0"
    os.mkfifo(device)
    stick = os.open(device, os.O_RDWR)

    def event(kind, number, value):
        os.write(stick, EVENT.pack(0, value, kind, number))

    for number in range(3):
        event(BUTTON | INITIAL, number, 0)
    flags = graph.hear(Bool, "intervention", QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    targets = graph.hear(JointTrajectory, "intervention_chunk")
    robot, chunks = Robot(graph.node), graph.node.create_publisher(JointTrajectory, "chunk", 10)
    graph.start("teleop_node", robot="franka", device=device, speed=0.1)
    assert graph.until(lambda: flags and chunks.get_subscription_count() and robot.heard(), 60, robot.tick), graph.log(
        "teleop_node"
    )
    chunks.publish(_chunk(robot.slot))
    assert flags[-1].data is False and not targets

    event(AXIS, 0, 32767)
    assert not graph.until(lambda: targets, 0.5, robot.tick), "moved without the deadman's button"
    event(BUTTON, 5, 1)
    assert graph.until(lambda: len(targets) > 40, each=robot.tick)
    assert flags[-1].data is True
    path = np.array([target.points[0].positions for target in targets])
    assert targets[0].header.frame_id == "intervention" and targets[0].joint_names == list(LIMITS.names)
    assert np.allclose(path[0], START, atol=0.1 * 2.62 * 0.2 + 1e-6)
    assert (np.diff(path[:, 0]) >= 0).all() and path[-1, 0] > path[0, 0]
    assert np.allclose(path[:, 1:], START[1:])
    assert path[:, 0].max() <= START[0] + 0.1 * LIMITS.velocity[0] * 0.2 + 1e-6  # the arm here stands: the leash holds

    event(BUTTON, 5, 0)
    assert not graph.until(lambda: not flags[-1].data, 0.5, robot.tick), "handed back to a plan of before"
    chunks.publish(_chunk(robot.slot + 1))
    assert graph.until(lambda: not flags[-1].data, each=robot.tick)


class Robot:
    """Stands where it was put, and says so."""

    def __init__(self, node) -> None:
        self.slot = 0
        self.setpoint = node.create_publisher(JointState, "setpoint", 10)
        self.observation = node.create_publisher(JointState, "observation", 10)

    def heard(self) -> bool:
        return self.setpoint.get_subscription_count() > 0 and self.observation.get_subscription_count() > 0

    def tick(self) -> None:
        self.slot += 1
        message = JointState(name=list(LIMITS.names), position=START.tolist())
        self.setpoint.publish(message)
        message.header.frame_id = f"slot:{self.slot}"
        self.observation.publish(message)


def _chunk(slot: int) -> JointTrajectory:
    message = JointTrajectory()
    message.header.frame_id = f"slot:{slot}"
    return message
