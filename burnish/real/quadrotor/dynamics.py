"""A quadrotor as a rigid body with four rotors: ENU world, FLU body.

Numbers of PX4's simulated Holybro X500 (PX4-gazebo-models, x500): 2 kg, 17.4 cm to the rotors along each axis, twice
as slow to spin down as up. Thrust grows with the square of the rotor's speed; drag is linear in the wind it meets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from burnish.quadrotor import GRAVITY

WEIGHT = np.array([0, 0, GRAVITY])
STILL = np.eye(3)


@dataclass(frozen=True)
class Airframe:
    """Its constants.

    Attributes:
        mass: kg.
        inertia: (3,) kg·m² about forward, left, up.
        arm: how far each rotor is to the front or back and to the side, m.
        most: thrust of one rotor at full speed, N.
        moment: reaction torque of a rotor per N of its thrust, m.
        spin_up, spin_down: time constants of a rotor's speed, s.
        drag: N per m/s.
    """

    mass: float = 2.064
    inertia: tuple[float, float, float] = (0.02167, 0.02167, 0.04)
    arm: float = 0.174
    most: float = 8.55
    moment: float = 0.016
    spin_up: float = 0.0125
    spin_down: float = 0.025
    drag: float = 0.25

    @property
    def hover(self) -> float:
        """Share of full thrust that carries its weight."""
        return self.mass * GRAVITY / (4 * self.most)

    @property
    def wrench(self) -> np.ndarray:
        """(4, 4) thrusts of the rotors, N → collective N and torque N·m. Order of PX4's quad X: front right, rear left
        (counterclockwise), front left, rear right (clockwise)."""
        forward, left = self.arm * np.array([1, -1, 1, -1]), self.arm * np.array([-1, 1, 1, -1])
        return np.stack([np.ones(4), left, -forward, self.moment * np.array([-1, -1, 1, 1])])


@dataclass
class Quadrotor:
    """What moves, and `step`.

    Attributes:
        position, velocity: (3,) m and m/s, world.
        rotation: (3, 3) body → world.
        momentum: (3,) angular, world, kg·m²/s. It, not the angular velocity, is what a step adds to: so it is kept
            exactly where nothing turns the body.
        speed: (4,) of the rotors, share of the highest.
        dead: rotors that do not turn.
        wind, push: (3,) m/s and N, world.
        landing_speed: at the last touch of the ground, m/s.
    """

    airframe: Airframe = field(default_factory=Airframe)
    position: np.ndarray = field(default_factory=lambda: np.zeros(3))
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    momentum: np.ndarray = field(default_factory=lambda: np.zeros(3))
    speed: np.ndarray = field(default_factory=lambda: np.zeros(4))
    dead: tuple[int, ...] = ()
    wind: np.ndarray = field(default_factory=lambda: np.zeros(3))
    push: np.ndarray = field(default_factory=lambda: np.zeros(3))
    landing_speed: float = 0.0

    def __post_init__(self) -> None:
        self._inertia, self._wrench = np.array(self.airframe.inertia), self.airframe.wrench

    @property
    def rates(self) -> np.ndarray:
        """(3,) angular velocity, body, rad/s."""
        return (self.momentum @ self.rotation) / self._inertia

    @property
    def on_ground(self) -> bool:
        """Whether it stands."""
        return bool(self.position[2] <= 0)

    def step(self, command: np.ndarray, seconds: float) -> None:
        """Semi-implicit Euler. `command`: (4,) speeds the rotors are asked for, 0 … 1."""
        frame = self.airframe
        gap = np.minimum(np.maximum(command, 0.0), 1.0) - self.speed
        lag = np.where(gap > 0, frame.spin_up, frame.spin_down)
        self.speed = self.speed + gap * (1 - np.exp(-seconds / lag))
        if self.dead:
            self.speed[list(self.dead)] = 0.0
        wrench = self._wrench @ (frame.most * self.speed**2)
        force = self.rotation[:, 2] * wrench[0] + frame.drag * (self.wind - self.velocity) + self.push
        self.velocity = self.velocity + seconds * (force / frame.mass - WEIGHT)
        self.position = self.position + seconds * self.velocity
        self.momentum = self.momentum + seconds * self.rotation @ wrench[1:]
        self.rotation = self.rotation @ _turn(self.rates * seconds)
        # one step of Newton's iteration towards the nearest rotation: rounding does not add up
        self.rotation = self.rotation @ (1.5 * STILL - 0.5 * self.rotation.T @ self.rotation)
        if self.position[2] <= 0:
            self._touch()

    def _touch(self) -> None:
        """It stands where it came down, upright, with its heading; how hard is remembered."""
        if self.velocity[2] < -0.05:
            self.landing_speed = float(-self.velocity[2])
        heading = math.atan2(self.rotation[1, 0], self.rotation[0, 0])
        cos, sin = math.cos(heading), math.sin(heading)
        self.position = np.array([self.position[0], self.position[1], 0.0])
        self.velocity, self.momentum = np.zeros(3), np.zeros(3)
        self.rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])


def _turn(vector: np.ndarray) -> np.ndarray:
    """(3, 3) the rotation about `vector` by its length (Rodrigues)."""
    x, y, z = vector.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    if angle < 1e-9:
        return STILL + cross
    return STILL + math.sin(angle) / angle * cross + (1 - math.cos(angle)) / angle**2 * cross @ cross
