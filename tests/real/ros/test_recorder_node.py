"""The recorder's node: what the robot, its policy and a camera said becomes a dataset, without a further word."""

from __future__ import annotations

import array
import json
import signal

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool

from burnish.contract import STATE
from burnish.datasets.convert.base import Options
from burnish.datasets.convert.convert import convert
from burnish.datasets.store import load_demonstrations
from tests.datasets.convert.robot_bag import CONTRACT, JOINTS
from tests.real.ros.bench import bench


@pytest.fixture
def graph(tmp_path):
    with bench(tmp_path) as made:
        yield made


def test_what_was_said_becomes_a_dataset(graph, tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "contract.json").write_text(json.dumps(CONTRACT.to_json()))
    told = graph.hear(DiagnosticArray, "diagnostics")
    robot = Robot(graph.node)
    process = graph.start("recorder_node", out=tmp_path / "bag", checkpoint=tmp_path / "policy", cameras="['wrist']")
    assert graph.until(robot.heard, each=robot.tick), graph.log("recorder_node")
    robot.flags.publish(Bool(data=True))
    first = robot.count
    assert graph.until(lambda: robot.count > first + 150, each=robot.tick)
    assert told[-1].status[0].message == "recording" or "free for" in told[-1].status[0].message
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, graph.log("recorder_node")
    assert (tmp_path / "bag" / "metadata.yaml").exists()

    result = convert(tmp_path / "bag", tmp_path / "out", Options(images=8))
    assert result["losses"] == [] or "make no frame" in result["losses"][0]
    assert result["episodes"] == 1 and result["intervention_frames"] > 20
    demos = load_demonstrations(tmp_path / "out")
    assert demos.obs["observation.images.wrist"].shape[1:] == (8, 8, 3)
    behind = demos.action[:, 0] - demos.obs[STATE][:, 0]
    assert abs(behind).max() <= 2  # the newest observation, whatever the load of this machine
    assert (demos.action[1:, 0] >= demos.action[:-1, 0]).all()


def test_it_must_know_what_it_records(graph):
    process = graph.start("recorder_node")
    assert process.wait(60) == 2
    assert "set parameter robot, or checkpoint" in graph.log("recorder_node")


class Robot:
    """Says at each tick what a robot says."""

    def __init__(self, node) -> None:
        lasting = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node, self.count = node, 0
        self.observation = node.create_publisher(JointState, "observation", 10)
        self.setpoint = node.create_publisher(JointState, "setpoint", 10)
        self.images = node.create_publisher(Image, "camera/wrist/image", qos_profile_sensor_data)
        self.flags = node.create_publisher(Bool, "intervention", lasting)

    def heard(self) -> bool:
        every = (self.observation, self.setpoint, self.images, self.flags)
        return all(publisher.get_subscription_count() for publisher in every)

    def tick(self) -> None:
        self.count += 1
        state = JointState(name=list(JOINTS), position=[float(self.count), 0.0])
        state.header.stamp = self.node.get_clock().now().to_msg()
        image = Image(height=12, width=16, encoding="rgb8", step=48, header=state.header)
        image.data = array.array("B", bytes([self.count % 256]) * (12 * 48))
        for publisher, message in ((self.images, image), (self.observation, state), (self.setpoint, state)):
            publisher.publish(message)
