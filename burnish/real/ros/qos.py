"""How each topic is carried, and why."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy

LEASE_S = 0.5
"""A policy node that gives no sign of life for so long is lost. Its DDS thread gives them, so a plan that takes long is
none; a process that was killed or stopped is."""


def _last(reliability: ReliabilityPolicy, depth: int = 1) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


SENSOR = _last(ReliabilityPolicy.BEST_EFFORT)
"""Joint states and images: only the newest counts, and one that is lost is not worth waiting for."""

REQUEST = _last(ReliabilityPolicy.RELIABLE)
"""Observations and what is under way: each is a request for a plan, and one that is lost would halt the robot. A policy
that is behind answers the newest only."""

CHUNK = _last(ReliabilityPolicy.RELIABLE, depth=8)
"""Plans: none may be lost. Old ones are told by their mark, so a few are kept: in a history of one, whatever a second
sender says would push out the plan that is waited for. No deadline, for how often they come is the policy's matter;
who sends them must show that it lives."""
CHUNK.liveliness = LivelinessPolicy.AUTOMATIC
CHUNK.liveliness_lease_duration = Duration(seconds=LEASE_S)

INSTRUCTION = _last(ReliabilityPolicy.RELIABLE)
"""Said once, so it must arrive. Not kept for whoever comes later: the parameter `instruction` is for that, and `ros2
topic pub` keeps nothing by default."""

LATCHED = _last(ReliabilityPolicy.RELIABLE)
"""The policy's contract and the robot's last verdict: whoever asks later wants them too."""
LATCHED.durability = DurabilityPolicy.TRANSIENT_LOCAL

DIAGNOSTICS = _last(ReliabilityPolicy.RELIABLE, depth=10)
"""As every node that diagnoses itself does."""
