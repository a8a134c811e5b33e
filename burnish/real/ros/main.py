"""The executables: `ros2 run burnish NODE`, or as a plain command, each with ROS's own arguments (`--ros-args …`)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from burnish import processes
from burnish.errors import BurnishError
from burnish.real.ros.words import ROBOTS

INSTALL = "pip install 'burnish[ros]', or source /opt/ros/DISTRO/setup.bash where ROS 2 is installed"
WITNESSES = ("camera_node", "recorder_node", "teleop_node", "tracker_node")
"""What watches, records and takes over: each in a module of its name."""


def need_rclpy() -> None:
    """Raise `BurnishError` where ROS 2 is not installed."""
    if importlib.util.find_spec("rclpy") is None:
        raise BurnishError(f"ROS 2 nodes need rclpy, which is not installed; {INSTALL}")


def start(executable: str) -> int:
    """Run the node of that name; its exit status."""
    try:
        processes.end_with_owner()
        need_rclpy()
        if executable in WITNESSES:
            importlib.import_module(f"burnish.real.ros.{executable}").main()
            return 0
        from burnish.real.ros.node import run

        return run(_policy if executable == "policy_node" else lambda: _robot(ROBOTS[executable]))
    except BurnishError as error:
        print(f"{executable}: {error}", file=sys.stderr)
        return 2


def main() -> int:
    """The node that this executable is named after."""
    return start(Path(sys.argv[0]).name)


def _policy():
    from burnish.real.ros.policy_node import PolicyNode

    return PolicyNode()


def _robot(name: str):
    from burnish.real.ros.robot_node import RobotNode

    return RobotNode(name)


if __name__ == "__main__":
    sys.exit(start(sys.argv.pop(1)))
