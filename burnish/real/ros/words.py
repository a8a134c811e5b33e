"""Settings as ROS parameters, and a node as a command line: what a launch system would do."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

ROBOTS = {"franka_node": "franka", "unitree_node": "unitree-go2", "quadrotor_node": "quadrotor", "robot_node": "franka"}
"""Executable → the robot that it drives unless the parameter `robot` names another one."""


def flat(value: Any) -> Any:
    """A tuple of tuples becomes one row of numbers, for ROS knows no other arrays."""
    if isinstance(value, tuple):
        return [number for part in value for number in (part if isinstance(part, tuple) else (part,))]
    return value


def parameters(prefix: str, config: Any) -> dict[str, Any]:
    """`PREFIX.FIELD` → value for every field of a dataclass that has one; an empty array has no type in ROS."""
    found = {f"{prefix}.{field.name}": flat(getattr(config, field.name)) for field in fields(config)}
    return {name: value for name, value in found.items() if value is not None and value != []}


def executable(robot: str) -> str:
    """The node of the robot's family."""
    family = robot.partition("-")[0]
    return f"{family}_node" if f"{family}_node" in ROBOTS else "robot_node"


def command(node: str, name: str, given: Mapping[str, Any]) -> list[str]:
    """Starts the executable `node` (of `burnish.real.ros.main`) as the node `name` with parameters."""
    words = [sys.executable, "-m", "burnish.real.ros.main", node, "--ros-args", "-r", f"__node:={name}"]
    return words + [word for key, value in given.items() for word in ("-p", f"{key}:={json.dumps(value)}")]
