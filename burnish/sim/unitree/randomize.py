"""What differs from episode to episode, so that a policy walks on floors and with loads that it never met.

`burnish.sim.randomize` is for arms; what is the same has the same name here. Legs learn with it unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import mujoco
import numpy as np
import torch
from torch import Tensor

from burnish import registry
from burnish.errors import BurnishError


@dataclass(frozen=True)
class Randomization:
    """How far each thing may be from what it is by default; uniform unless noise."""

    mass: float = 0.2
    """Of the trunk, share of its mass more or less."""
    friction: float = 0.4
    """Of the floor, share of it."""
    stiffness: float = 0.1
    """Of the motors' controllers, share of them, every joint by itself."""
    early: float = 0.4
    """By which actions come into effect sooner than a step after what they answer to, at most, in steps: the robot's
    session looks when an action begins, and plays what is planned from that after it."""
    noise: float = 1.0
    """Of the sensors, in `world.SENSORS`."""
    push: float = 0.3
    """m/s, by which it is pushed somewhere, once in `world.PUSH_STEPS` steps on average; tasks have their own."""

    def __post_init__(self) -> None:
        for part in fields(self):
            value, most = getattr(self, part.name), 5.0 if part.name in ("noise", "push") else 1.0
            if not 0 <= value < most:
                raise BurnishError(f"randomize.{part.name} must be at least 0 and below {most:g}, is {value}")

    @classmethod
    def of(cls, settings: Mapping[str, float]) -> Randomization:
        """From a mapping. Raises `UnknownNameError` with the closest match."""
        registry.check_known("randomization", settings, [part.name for part in fields(cls)])
        return cls(**settings)

    def draw(self, lanes: int, joints: int) -> Tensor:
        """(lanes, 2 + joints): factors of the trunk's mass, of friction, and of each motor's gains."""
        spread = torch.tensor([self.mass, self.friction] + [self.stiffness] * joints, dtype=torch.float64)
        return 1 + spread * (2 * torch.rand(lanes, 2 + joints, dtype=torch.float64) - 1)


TRUNK = 1
"""The first body after the world."""


def apply(factors: np.ndarray, nominal: mujoco.MjModel, model: mujoco.MjModel) -> None:
    """Make of `model`, a copy of `nominal`, what `factors` (2 + A,) of a draw say."""
    load, friction, gains = factors[0], factors[1], factors[2:]
    model.body_mass[TRUNK] = nominal.body_mass[TRUNK] * load
    model.body_inertia[TRUNK] = nominal.body_inertia[TRUNK] * load
    model.geom_friction[:, 0] = nominal.geom_friction[:, 0] * friction
    model.actuator_gainprm[:, 0] = nominal.actuator_gainprm[:, 0] * gains
    model.actuator_biasprm[:, 1:3] = nominal.actuator_biasprm[:, 1:3] * gains[:, None]
