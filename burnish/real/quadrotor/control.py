"""The loops of a multicopter autopilot: position → attitude → rates → rotors, after PX4's, with its default gains.

Mellinger and Kumar, ICRA 2011, for the attitude that a wanted force needs; Lee, Leok and McClamroch, CDC 2010, for the
error between two attitudes. ENU world, FLU body.
"""

from __future__ import annotations

import numpy as np

from burnish.quadrotor import GRAVITY
from burnish.real.quadrotor.dynamics import Airframe, Quadrotor

ATTITUDE_GAIN = np.array([6.5, 6.5, 2.8])
"""MC_ROLL_P, MC_PITCH_P, MC_YAW_P, 1/s."""
RATE_GAIN = np.array([25.0, 25.0, 10.0])
"""Angular acceleration per error of angular velocity, 1/s."""
RATE_MAX = np.radians([220.0, 220.0, 200.0])
"""MC_ROLLRATE_MAX, MC_PITCHRATE_MAX, MC_YAWRATE_MAX."""
POSITION_GAIN, VELOCITY_GAIN, VELOCITY_INTEGRAL = 0.95, 1.8, 0.4
"""MPC_XY_P, MPC_XY_VEL_P_ACC, MPC_XY_VEL_I_ACC."""
SPEED_MAX, CLIMB_MAX = 4.0, 1.5
"""Of the position loop, m/s: lower than MPC_XY_VEL_MAX; MPC_TKO_SPEED."""
ACCELERATION_MAX = 5.0
"""MPC_ACC_HOR, m/s²: with it the tilt stays within 27°."""


def heading_to(force: np.ndarray, yaw: float) -> np.ndarray:
    """(3, 3) attitude with its up along `force` (3,) and its front towards `yaw`, rad."""
    up = force / np.linalg.norm(force)
    left = np.cross(up, [np.cos(yaw), np.sin(yaw), 0.0])
    left /= np.linalg.norm(left)
    return np.stack([np.cross(left, up), left, up], axis=1)


def rates_towards(wanted: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(3,) rad/s, body: the attitude loop."""
    gap = wanted.T @ rotation
    error = 0.5 * np.array([gap[2, 1] - gap[1, 2], gap[0, 2] - gap[2, 0], gap[1, 0] - gap[0, 1]])
    return np.clip(-ATTITUDE_GAIN * error, -RATE_MAX, RATE_MAX)


class Mixer:
    """Rates and collective thrust → rotors."""

    def __init__(self, airframe: Airframe) -> None:
        shares = np.linalg.inv(airframe.wrench) / airframe.most
        self._collective = shares[:, 0] * 4 * airframe.most
        self._turning = shares[:, 1:] * (np.array(airframe.inertia) * RATE_GAIN)

    def __call__(self, wanted: np.ndarray, thrust: float, body: Quadrotor) -> np.ndarray:
        """(4,) speeds, 0 … 1. `wanted`: (3,) rad/s; `thrust`: share of the highest. Where a rotor would saturate, the
        collective gives way first, so that the attitude stays in hand (PX4's airmode)."""
        collective = self._collective * min(1.0, max(0.0, thrust))
        shares = collective + self._turning @ (wanted - body.rates)
        shares -= max(0.0, shares.max() - 1)
        shares += max(0.0, -shares.min())
        return np.sqrt(np.minimum(shares, 1))


class PositionHold:
    """Flies to a place and stays."""

    def __init__(self, airframe: Airframe) -> None:
        self._hover = airframe.hover
        self._integral = np.zeros(3)

    def start(self) -> None:
        """Forget what was learnt about wind."""
        self._integral = np.zeros(3)

    def __call__(
        self, target: np.ndarray, yaw: float, body: Quadrotor, seconds: float, climb: float | None = None
    ) -> tuple[np.ndarray, float]:
        """Attitude (3, 3) and thrust (share of the highest). `climb`: vertical speed instead of the target's height."""
        speed = np.clip(POSITION_GAIN * (target - body.position), -SPEED_MAX, SPEED_MAX)
        speed[2] = np.clip(speed[2], -CLIMB_MAX, CLIMB_MAX) if climb is None else climb
        error = speed - body.velocity
        self._integral = np.clip(self._integral + VELOCITY_INTEGRAL * error * seconds, -3, 3)
        push = np.clip(VELOCITY_GAIN * error + self._integral, -ACCELERATION_MAX, ACCELERATION_MAX)
        force = push + np.array([0, 0, GRAVITY])
        wanted = heading_to(force, yaw)
        return wanted, float(force @ body.rotation[:, 2] / GRAVITY * self._hover)
