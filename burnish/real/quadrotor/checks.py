"""What must hold before a quadrotor flies, and while it does."""

from __future__ import annotations

import math
import time

import numpy as np
from mavsdk.plugins.telemetry import LandedState

from burnish.quadrotor import TILT_LOST
from burnish.real.base import RobotError
from burnish.real.quadrotor.config import QuadrotorConfig
from burnish.real.quadrotor.frames import tilt
from burnish.real.quadrotor.helm import STICKS, Helm
from burnish.real.quadrotor.link import PREARM_CHECKS, Link, Sample

MOTORS_UNTIL = (1, 14)
"""PX4 from here on ignores SET_ACTUATOR_CONTROL_TARGET; single motors are then commanded over its ROS 2 bridge only."""
TEXTS_S = 0.5


def ready(link: Link, config: QuadrotorConfig) -> float:
    """Wait until it could take off. Raises `RobotError` with what is missing.

    Returns: what carries its weight: a share of full thrust, or of a motor's command.
    """
    version = link.version()
    if config.mode == "motors" and version >= MOTORS_UNTIL:
        raise RobotError(
            f"the autopilot at {link.address} (version {version[0]}.{version[1]}) takes no commands for single motors "
            "over MAVLink; PX4 did before 1.14. Use --robot.mode rates"
        )
    end = time.monotonic() + config.wait_s
    while problem := _missing(link, config):
        if time.monotonic() > end:
            link.order(PREARM_CHECKS)
            time.sleep(TEXTS_S)
            raise RobotError(f"the quadrotor at {link.address} is not ready: {problem} ({words(link)})")
    hover, curve = link.parameter("MPC_THR_HOVER"), link.parameter("THR_MDL_FAC")
    if hover is None:
        raise RobotError(f"the autopilot at {link.address} has no parameter MPC_THR_HOVER; only PX4 is supported")
    return _motor(hover, curve or 0.0) if config.mode == "motors" else hover


def fault(
    sample: Sample, before: Sample | None, link: Link, helm: Helm, home: np.ndarray, config: QuadrotorConfig
) -> str:
    """What is wrong in the air; "" where nothing is. `home`: (3,) m, where it took off."""
    if sample.here_s - sample.placed_s > config.silence_s:
        return f"no position from the autopilot for {sample.here_s - sample.placed_s:.2f} s"
    if before is not None:
        jump = (sample.time_s - before.time_s) - (sample.here_s - before.here_s)
        if abs(jump) > config.silence_s:
            return f"the autopilot's clock jumped by {jump:.2f} s"
    if helm.phase == "ground":
        return ""
    if not link.armed:
        return f"the motors are off ({words(link)})"
    if lost := helm.lost():
        return lost
    if (tilted := tilt(sample.rotation)) > TILT_LOST:
        return f"tilted by {math.degrees(tilted):.0f}°, at most {math.degrees(TILT_LOST):.0f}°"
    away, (east, north, up) = sample.position - home, config.fence_m
    if abs(away[0]) > east or abs(away[1]) > north or away[2] > up:
        at = np.round(away, 2).tolist()
        return f"it is {at} m from where it took off, outside the fence ±{east:g}, ±{north:g}, {up:g}"
    if link.battery < config.battery_stop:
        return f"the battery is at {link.battery:.0%}, at least {config.battery_stop:.0%}"
    return ""


def words(link: Link) -> str:
    """What the autopilot said last."""
    return "; ".join(list(link.texts)[-3:]) or "it does not say why"


def _missing(link: Link, config: QuadrotorConfig) -> str:
    """The first thing that is not as it must be before a take-off; waits a little for news."""
    if link.wait(0.1) is None:
        return "no position estimate (LOCAL_POSITION_NED); it needs GPS, optical flow or motion capture"
    if link.landed == LandedState.UNKNOWN or math.isnan(link.battery):
        return "it tells neither its battery's charge nor whether it is on the ground"
    if link.armed and link.mode.name in STICKS:
        return f"an operator flies it ({link.mode.name})"
    if link.armed:
        return ""
    if link.battery < config.battery_start:
        return f"the battery is at {link.battery:.0%}, at least {config.battery_start:.0%} to start"
    return "" if link.armable else "it would not arm"


def _motor(thrust: float, curve: float) -> float:
    """The command u that gives `thrust` = curve · u² + (1 − curve) · u, PX4's THR_MDL_FAC."""
    if curve < 1e-6:
        return thrust
    return (math.sqrt((1 - curve) ** 2 + 4 * curve * thrust) - (1 - curve)) / (2 * curve)
