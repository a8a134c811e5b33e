"""The policies of these tests: a cascade that flies to a place, in each of the driver's modes."""

from __future__ import annotations

import numpy as np

from burnish.real.quadrotor.control import Mixer, heading_to, rates_towards
from burnish.real.quadrotor.dynamics import GRAVITY, Airframe, Quadrotor
from burnish.real.quadrotor.frames import angles

HOVER = Airframe().hover


def pilot(mode: str, values: np.ndarray, target: np.ndarray, velocity: np.ndarray | None = None,
          acceleration: np.ndarray | None = None) -> np.ndarray:  # fmt: skip
    """(4,) the action for a state (18,) that should be at `target` (3,), m, heading east."""
    position, rotation, speed, rates = values[:3], values[3:12].reshape(3, 3), values[12:15], values[15:]
    wanted_speed = np.zeros(3) if velocity is None else velocity
    push = np.zeros(3) if acceleration is None else acceleration
    push = push + np.clip(4.0 * (target - position), -4, 4) + 3.0 * (wanted_speed - speed)
    force = push + np.array([0, 0, GRAVITY])
    thrust = float(np.clip(force @ rotation[:, 2] / GRAVITY * HOVER, 0.15, 0.95))
    wanted = heading_to(force, 0.0)
    if mode == "attitude":
        return np.append(angles(wanted), thrust)
    turning = rates_towards(wanted, rotation)
    if mode == "rates":
        return np.append(turning, thrust)
    body = Quadrotor(rotation=rotation, momentum=rotation @ (np.array(Airframe().inertia) * rates))
    return Mixer(body.airframe)(turning, thrust, body)
