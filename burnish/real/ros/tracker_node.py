"""Publishes what a tracker sees: `tracker/NAME/pose` for each object, in the base's frame, and how it is on
`diagnostics`. A motion capture system with ROS nodes of its own needs no such node: name its topics.

`python -m burnish.real.ros.tracker_node --ros-args -p driver:=simulated -p tracker.address:=PORT`
"""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.publisher import Publisher

from burnish.errors import BurnishError
from burnish.real.ros import qos
from burnish.real.ros.nodes import ERROR, OK, Holder, Parameter, declare, run, status
from burnish.real.ros.parameters import declare_fields, make
from burnish.real.trackers.base import load_tracker

PARAMETERS = (
    Parameter("driver", "simulated", "which tracker"),
    Parameter("rate_hz", 50.0, "poses per second", 0.1, 1000.0),
    Parameter("frame_id", "base", "the frame that poses are in: the robot's base"),
)
TELL_S = 0.5


class TrackerNode(Holder):
    """Reads and publishes at a fixed rate."""

    def __init__(self, **ros: Any) -> None:
        super().__init__("tracker", **ros)
        given = declare(self, PARAMETERS)
        kind = load_tracker(given["driver"])
        declare_fields(self, "tracker", kind.Config)
        self._tracker, self._frame = kind(make(self, "tracker", kind.Config)), given["frame_id"]
        self._poses: dict[str, Publisher[PoseStamped]] = {}
        self._health = self.create_publisher(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)
        self._fault, self._count = "", 0
        self.create_timer(1 / given["rate_hz"], self._look)
        self.create_timer(TELL_S, self._tell)

    def close(self) -> None:
        """Let go of the tracker."""
        self._tracker.close()

    def _look(self) -> None:
        try:
            seen = self._tracker.read()
        except BurnishError as error:
            self._note(str(error))
            return
        self._note("")
        stamp = self.get_clock().now().to_msg()
        for name, pose in seen.items():
            if name not in self._poses:
                self._poses[name] = self.create_publisher(PoseStamped, f"tracker/{name}/pose", qos.SENSOR)
            message = PoseStamped()
            message.header.stamp, message.header.frame_id = stamp, self._frame
            at, turn, numbers = message.pose.position, message.pose.orientation, pose.tolist()
            at.x, at.y, at.z, turn.w, turn.x, turn.y, turn.z = numbers
            self._poses[name].publish(message)
        self._count += 1

    def _note(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            self.get_logger().warning(f"tracker: {fault or 'poses come again'}")

    def _tell(self) -> None:
        level, message = (ERROR, self._fault) if self._fault else (OK, f"sees {', '.join(self._poses) or 'nothing'}")
        self._health.publish(status(self, "tracker", level, message, {"readings": self._count}))


def main() -> None:
    """Run until stopped."""
    run(TrackerNode)


if __name__ == "__main__":
    main()
