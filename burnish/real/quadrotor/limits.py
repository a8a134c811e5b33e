"""A quadrotor, as `Safety` and the policy's side see it."""

from __future__ import annotations

from burnish.quadrotor import LIMITS, Mode, contract
from burnish.real.base import RobotSpec

LAND_S = 60.0
"""A landing is watched for so long."""


def spec(mode: Mode) -> RobotSpec:
    """Of a quadrotor that is commanded in `mode`."""
    halt = "hovering, then landed"
    return RobotSpec("quadrotor", contract(mode), LIMITS[mode], smooth=False, halt=halt, adrift=True, ends_s=LAND_S + 5)
