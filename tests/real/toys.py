"""A robot of numbers, for what needs no protocol."""

from __future__ import annotations

import numpy as np

from burnish.contract import STATE, Contract
from burnish.limits import Limits
from burnish.real.base import RobotSpec, State, state_field

NAMES = ("first", "second", "third")
LIMITS = Limits(
    names=NAMES,
    low=(-2.0, -1.0, 0.0),
    high=(2.0, 1.0, 0.1),
    velocity=(2.0, 1.0, 0.2),
    acceleration=(10.0, 5.0, 2.0),
    jerk=(5000.0, 2000.0, 500.0),
    jump=(0.3, 0.3, 0.1),
    torque=(50.0, 20.0, 10.0),
    source="a test",
    silence=0.2,
)


def spec(limits: Limits = LIMITS, *, smooth: bool = True, rate_hz: float = 1000.0) -> RobotSpec:
    field = state_field(limits.names, ("rad",) * len(limits.names), "joint", rate_hz)
    return RobotSpec("toy", Contract({STATE: field}, field), limits, smooth, "held")


def state(time_s: float, position: np.ndarray, **changes: object) -> State:
    still = {"values": position, "measured": position, "effort": np.zeros(len(position))}
    return State(time_s, **(still | changes))
