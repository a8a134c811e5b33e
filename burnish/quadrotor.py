"""What a quadrotor is, for its driver and for its simulator: what it observes, is commanded and may be asked for.

Limits are PX4's defaults. Its own world: east, north, up (ENU); its body: forward, left, up (FLU).
"""

from __future__ import annotations

import math
from typing import Literal

from burnish.contract import STATE, Contract, Field
from burnish.limits import Limits

Mode = Literal["attitude", "rates", "motors"]
Path = Literal["hover", "eight"]
"""What a policy is told to fly, that asks for it."""
VEHICLE = {"mass": "kg", "thrust_to_weight": "1", "spin_up": "s", "spin_down": "s"}
"""What may be known of a vehicle, with its unit: two are time constants of a rotor that becomes faster, or slower."""

GRAVITY = 9.80665
CYCLE_HZ = 200.0
FRAME = "world ENU, from where the autopilot started; body FLU"
TILT_MAX = math.radians(45.0)
"""MPC_TILTMAX_AIR."""
TILT_LOST = math.radians(60.0)
"""FD_FAIL_R, FD_FAIL_P: an attitude beyond it is a failure."""
SOURCE = "PX4 1.15 parameter reference: MPC_TILTMAX_AIR, MC_*RATE_MAX, MPC_THR_MIN, MPC_THR_MAX, FD_FAIL_R"
ROLL_RATE, YAW_RATE = math.radians(220.0), math.radians(200.0)
"""MC_ROLLRATE_MAX and MC_PITCHRATE_MAX, MC_YAWRATE_MAX, rad/s."""
THRUST = (0.12, 1.0)
"""MPC_THR_MIN, MPC_THR_MAX."""
THRUST_RATE = 20.0
"""Share of full thrust per s: what rotors with a time constant of 25 ms can follow."""
MOTOR_RATE = 125.0
"""Share of a command per s. Of no document: PX4's own limit, MOT_SLEW_MAX, is off by default. With the share of it that
`Safety` uses, from one end to the other in two cycles, the period of a policy at 100 Hz: what it was trained with."""
RATE_RATE = 100.0
"""rad/s²: what a 2 kg quadrotor with twice its weight in thrust can do about roll and pitch."""
ANY = (math.inf,) * 4
"""Actions are applied as they come: only their rate of change is limited, and nothing measures an effort."""


def _limits(names: tuple[str, ...], low: tuple, high: tuple, velocity: tuple, jump: tuple) -> Limits:
    return Limits(names, low, high, velocity, ANY, ANY, jump, ANY, SOURCE)


LIMITS: dict[Mode, Limits] = {
    "attitude": _limits(
        ("roll", "pitch", "yaw", "thrust"),
        (-TILT_MAX, -TILT_MAX, -math.pi, THRUST[0]),
        (TILT_MAX, TILT_MAX, math.pi, THRUST[1]),
        (ROLL_RATE, ROLL_RATE, YAW_RATE, THRUST_RATE),
        (2 * TILT_MAX, 2 * TILT_MAX, math.pi, 1.0),
    ),
    "rates": _limits(
        ("roll_rate", "pitch_rate", "yaw_rate", "thrust"),
        (-ROLL_RATE, -ROLL_RATE, -YAW_RATE, THRUST[0]),
        (ROLL_RATE, ROLL_RATE, YAW_RATE, THRUST[1]),
        (RATE_RATE, RATE_RATE, RATE_RATE, THRUST_RATE),
        (2 * ROLL_RATE, 2 * ROLL_RATE, 2 * YAW_RATE, 1.0),
    ),
    "motors": _limits(
        ("front_right", "rear_left", "front_left", "rear_right"),
        (0.0,) * 4,
        (1.0,) * 4,
        (MOTOR_RATE,) * 4,
        (1.0,) * 4,
    ),
}
UNITS: dict[Mode, tuple[str, ...]] = {
    "attitude": ("rad", "rad", "rad", "1"),
    "rates": ("rad/s", "rad/s", "rad/s", "1"),
    "motors": ("1",) * 4,
}
STATE_NAMES = (
    *("x", "y", "z"),
    *(f"r{row}{column}" for row in range(3) for column in range(3)),
    *("vx", "vy", "vz", "wx", "wy", "wz"),
)
"""Position, attitude row by row (body to world), velocity in the world, angular velocity in the body: what RAPTOR
(arXiv 2509.11481) reads, but for its own last action."""
STATE_UNITS = (*("m",) * 3, *("1",) * 9, *("m/s",) * 3, *("rad/s",) * 3)


def contract(mode: Mode, rate_hz: float = CYCLE_HZ) -> Contract:
    """Of a quadrotor that is commanded in `mode`, `rate_hz` times a second."""
    limits = LIMITS[mode]
    state = Field((len(STATE_NAMES),), STATE_NAMES, STATE_UNITS, FRAME, rate_hz, "min_max")
    return Contract({STATE: state}, Field((4,), limits.names, UNITS[mode], FRAME, rate_hz, "min_max"))
