"""The nodes of a policy on a robot, as `burnish ros` and `burnish trial` start them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from burnish.real.player import PlayerConfig
from burnish.real.ros.supervisor import Part
from burnish.real.ros.words import executable, parameters
from burnish.real.safety import SafetyConfig

POLICY_TIMEOUT_S = 120.0
"""A large checkpoint is loaded in less."""


def robot_part(name: str, player: PlayerConfig, safety: SafetyConfig, more: Mapping[str, Any]) -> Part:
    """Moves the robot `name`; `more`: its node's other parameters."""
    given = {"robot": name, "policy_timeout": POLICY_TIMEOUT_S, **more}
    given |= parameters("player", player) | parameters("safety", safety)
    return Part(
        executable(name),
        "robot",
        given,
        {"autostart": "configure"},  # nobody expects a robot to move because a process was started again
        "the robot is held meanwhile, and then until the service /robot/play is called",
    )


def policy_part(checkpoint: str, more: Mapping[str, Any]) -> Part:
    """Plans; `more`: its node's other parameters, of which an empty array has no type in ROS."""
    given = {"checkpoint": checkpoint, "autostart": "activate"} | {k: v for k, v in more.items() if v != []}
    return Part("policy_node", "policy", given, {}, "the robot is held until the service /robot/resume is called")


def tracker_part(door: int) -> Part:
    """Sees what lies before the simulated robot, whose side `door` it is."""
    given = {"driver": "simulated", "tracker.address": door}
    return Part("tracker_node", "tracker", given, {}, "its objects are out of sight meanwhile")
