"""What of the world is uncertain: drawn once per episode, from the episode's own seed. Nothing, unless asked for."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from burnish import registry
from burnish.errors import BurnishError
from burnish.sim.franka.model import WEIGHT

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True)
class Randomization:
    """How far each thing may be from what it is by default; uniform unless noise."""

    mass: float = 0.0
    """Of the object, share of it."""
    friction: float = 0.0
    """Of the object, share of it."""
    stiffness: float = 0.0
    """Of the arm's controller, share of it, every joint by itself; damping with it."""
    latency_s: float = 0.0
    """By which actions come into effect late, at most; less than one action lasts."""
    joint_noise: float = 0.0
    """Standard deviation of observed joint positions, rad."""
    object_noise: float = 0.0
    """Standard deviation of what only a simulator (or a tracker) knows, m and 1."""
    camera: float = 0.0
    """By which the front camera's place differs along each axis, m, while it looks at the same point; a fifth for the
    wrist's."""
    light: float = 0.0
    """Of the brightness, share of it."""
    color: float = 0.0
    """Of table and object, share of red, green and blue, each by itself."""

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if not 0 <= value < 1:
                raise BurnishError(f"randomize.{part.name} must be at least 0 and below 1, is {value}")

    @classmethod
    def of(cls, settings: Mapping[str, float]) -> Randomization:
        """From a mapping. Raises `UnknownNameError` with the closest match."""
        known = [part.name for part in fields(cls)]
        for name in settings:
            if name not in known:
                raise registry.unknown("randomization", name, known)
        return cls(**settings)

    @property
    def changes_model(self) -> bool:
        """Whether each lane needs a model of its own."""
        return bool(self.mass or self.friction or self.stiffness)


class Sight:
    """How an episode looks: `camera` (3,) m, where it is moved to; factors of `light`, and of the colours (3,) of
    `table` and `object`."""

    def __init__(self, values: np.ndarray) -> None:
        """`values` (10,) of `Draw.sight`."""
        self.camera, self.light, self.table, self.object = values[:3], values[3], values[4:7], values[7:10]


class Draw:
    """What one episode got: factors of `mass`, `friction` and `stiffness` (7,), `latency_s`, and `sight`."""

    def __init__(self, randomization: Randomization, seed: int) -> None:
        # A stream of its own: where things stand is drawn from the same seed.
        random = np.random.default_rng([seed, 2])
        self.mass = 1 + randomization.mass * random.uniform(-1, 1)
        self.friction = 1 + randomization.friction * random.uniform(-1, 1)
        self.stiffness = 1 + randomization.stiffness * random.uniform(-1, 1, 7)
        self.latency_s = randomization.latency_s * random.uniform()
        spread = np.repeat([randomization.camera, randomization.light, randomization.color], (3, 1, 6))
        self.sight = np.repeat([0.0, 1.0], (3, 7)) + spread * random.uniform(-1, 1, 10)

    def apply(self, nominal: mujoco.MjModel) -> mujoco.MjModel:
        """A copy of the `nominal` model with this episode's object and controller."""
        model = copy.copy(nominal)
        if any(model.body(number).name == "object" for number in range(model.nbody)):
            number = model.body("object").id
            model.body_mass[number] *= self.mass
            model.body_inertia[number] *= self.mass
            model.actuator_biasprm[WEIGHT] *= self.mass
            model.geom_friction[model.geom_bodyid == number] *= self.friction
        model.actuator_biasprm[:7, 1:3] *= self.stiffness[:, None]
        return model
