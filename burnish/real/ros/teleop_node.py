"""A human with a joystick or a keyboard drives while the deadman's button is held.

For the robot node: while `intervention` (Bool, repeated) is true, the newest target on `intervention_chunk`
(JointTrajectory of one point, frame_id "intervention") is the wish instead of the policy's chunk, through the same
`Safety`; a true `intervention` that falls silent is a halt, not a hand-back. Observations go on meanwhile, so that the
policy can plan. It turns false with the policy's first `chunk` of a later `slot:N` than that of the release.

`python -m burnish.real.ros.teleop_node --ros-args -p robot:=franka -p device:=/dev/input/js0`
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from burnish.errors import BurnishError
from burnish.files import json_object
from burnish.real.control import make_robot
from burnish.real.intervention import Intervention
from burnish.real.joystick import Input, Joystick, Keyboard, Wish
from burnish.real.ros.nodes import ERROR, OK, WARN, Holder, Parameter, declare, run, status

PARAMETERS = (
    Parameter("robot", "", "registered name of the robot"),
    Parameter("robot_config", "{}", "JSON of the robot's settings"),
    Parameter("device", "/dev/input/js0", "joystick; empty for the keyboard"),
    Parameter("deadman", 5, "button that must be held", 0, 255),
    Parameter("axes", [0, 1, 3, 4, 6, 7, 2], "axis of each entry of the action, -1 for none"),
    Parameter("buttons", [0, 1], "buttons that drive the last entry up and down; empty for none"),
    Parameter("speed", 0.1, "part of each entry's largest speed", 0.001, 1.0),
    Parameter("rate_hz", 50.0, "targets per second", 5.0, 1000.0),
)
SLOT = re.compile(r"slot:(\d+)$")
RETRY_S = 1.0
TELL_S = 0.5


class TeleopNode(Holder):
    """Reads what is held, and publishes what it means."""

    def __init__(self, **ros: Any) -> None:
        super().__init__("teleop", **ros)
        self._given = given = declare(self, PARAMETERS)
        if not given["robot"]:
            raise BurnishError("teleop must know whose limits to keep: set parameter robot")
        limits = make_robot(given["robot"], json_object(given["robot_config"], "parameter robot_config")).spec.limits
        self._names = list(limits.names)
        self._human = Intervention(limits, given["speed"])
        self._input: Input | None = self._open()
        self._tried_s = self._told_s = time.monotonic()
        lasting = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._flags = self.create_publisher(Bool, "intervention", lasting)
        self._targets = self.create_publisher(JointTrajectory, "intervention_chunk", 10)
        self._health = self.create_publisher(DiagnosticArray, "diagnostics", 10)
        self.create_subscription(JointState, "setpoint", self._commanded, qos_profile_sensor_data)
        self.create_subscription(JointState, "observation", self._observed, qos_profile_sensor_data)
        self.create_subscription(JointTrajectory, "chunk", self._planned, qos_profile_sensor_data)
        self._flags.publish(Bool(data=False))
        self.create_timer(1.0 / given["rate_hz"], self._tick)

    def close(self) -> None:
        """Let go: of the robot, which its own node then halts, and of the device."""
        if self._input is not None:
            self._input.close()

    def _open(self) -> Input:
        given, size = self._given, len(self._names)
        if not given["device"]:
            return Keyboard(sys.stdin.fileno(), size)
        return Joystick(Path(given["device"]), size, given["deadman"], given["axes"], given["buttons"])

    def _tick(self) -> None:
        now_s, before = time.monotonic(), self._human.active
        target = self._human.tick(self._wish(now_s), now_s)
        if target is not None:
            self._targets.publish(self._trajectory(target))
        if target is not None or before:
            self._flags.publish(Bool(data=target is not None))
        if before != self._human.active:
            self.get_logger().info("the human drives" if self._human.active else "the policy drives")
        if now_s - self._told_s > TELL_S:
            self._told_s = now_s
            self._tell()

    def _wish(self, now_s: float) -> Wish:
        """Of the device; one that is gone is opened again when it is back."""
        nobody = np.zeros(len(self._names))
        if self._input is None:
            if now_s - self._tried_s > RETRY_S:
                self._tried_s = now_s
                try:
                    self._input = self._open()
                except BurnishError as error:
                    return Wish(False, nobody, str(error))
            return Wish(False, nobody, f"{self._given['device']}: gone")
        wish = self._input.poll()
        if wish.fault:
            self._input.close()
            self._input = None
        return wish

    def _trajectory(self, target: np.ndarray) -> JointTrajectory:
        message = JointTrajectory(joint_names=self._names)
        message.header.stamp, message.header.frame_id = self.get_clock().now().to_msg(), "intervention"
        message.points = [JointTrajectoryPoint(positions=target.tolist())]
        return message

    def _commanded(self, message: JointState) -> None:
        have = dict(zip(message.name, message.position, strict=False))
        if all(name in have for name in self._names):
            self._human.commanded(np.array([have[name] for name in self._names]), time.monotonic())

    def _observed(self, message: JointState) -> None:
        if found := SLOT.match(message.header.frame_id):
            self._human.observed(int(found[1]))

    def _planned(self, message: JointTrajectory) -> None:
        if found := SLOT.match(message.header.frame_id):
            self._human.planned(int(found[1]))

    def _tell(self) -> None:
        human = self._human
        line = human.fault or ("the human drives" if human.active else "the policy drives")
        level = OK if not human.fault else ERROR if self._input is None else WARN
        self._health.publish(status(self, "teleop", level, line, {"intervention": human.active}))


def main() -> None:
    """Run until stopped."""
    run(TeleopNode)


if __name__ == "__main__":
    main()
