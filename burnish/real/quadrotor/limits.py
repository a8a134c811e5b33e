"""A quadrotor, as `Safety` and the policy's side see it."""

from __future__ import annotations

from burnish.quadrotor import LIMITS, Mode, contract
from burnish.real.base import RobotSpec


def spec(mode: Mode) -> RobotSpec:
    """Of a quadrotor that is commanded in `mode`."""
    halt = "hovering, then landed"
    return RobotSpec("quadrotor", contract(mode), LIMITS[mode], smooth=False, halt=halt, adrift=True)
