"""A policy that needs no training: fly to a place. For first flights, tests and benchmarks."""

from __future__ import annotations

import numpy as np

from burnish.quadrotor import GRAVITY, Mode
from burnish.real.quadrotor.control import Mixer, heading_to, rates_towards
from burnish.real.quadrotor.dynamics import Airframe, Quadrotor
from burnish.real.quadrotor.frames import angles

STIFFNESS, DAMPING, PUSH_MAX = 4.0, 3.0, 4.0
"""1/s², 1/s, m/s²: a double pole at 2 1/s, nearly; gentle enough for a link that is 50 ms late."""
STILL = np.zeros(3)


class Pilot:
    """Heads east, wherever it flies."""

    def __init__(self, mode: Mode, airframe: Airframe | None = None) -> None:
        """`airframe`: of the simulated quadrotor by default."""
        self._mode = mode
        self._body = Quadrotor(airframe or Airframe())
        self._mixer = Mixer(self._body.airframe)

    def act(
        self, values: np.ndarray, place: np.ndarray, velocity: np.ndarray = STILL, acceleration: np.ndarray = STILL
    ) -> np.ndarray:
        """(4,) the action for an `observation.state` (18,), to be at `place` with `velocity` and `acceleration`."""
        rotation, hover = values[3:12].reshape(3, 3), self._body.airframe.hover
        pull = np.clip(STIFFNESS * (place - values[:3]), -PUSH_MAX, PUSH_MAX)
        force = acceleration + pull + DAMPING * (velocity - values[12:15]) + np.array([0, 0, GRAVITY])
        thrust = float(np.clip(force @ rotation[:, 2] / GRAVITY * hover, 0.15, 0.95))
        wanted = heading_to(force, 0.0)
        if self._mode == "attitude":
            return np.append(angles(wanted), thrust)
        turning = rates_towards(wanted, rotation)
        if self._mode == "rates":
            return np.append(turning, thrust)
        self._body.rotation = rotation
        self._body.momentum = rotation @ (np.array(self._body.airframe.inertia) * values[15:])
        return self._mixer(turning, thrust, self._body)
