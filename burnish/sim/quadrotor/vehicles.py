"""Which quadrotors there are: those with a name, and those that are drawn as RAPTOR draws them (arXiv 2509.11481)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from burnish import registry
from burnish.errors import BurnishError
from burnish.quadrotor import GRAVITY, VEHICLE
from burnish.sim.quadrotor import noise
from burnish.sim.quadrotor.dynamics import VEHICLE_ROWS

Range = tuple[float, float]
CURVE = (0.0320, 0.1305)
"""Crazyflie's: shares of a rotor's full thrust at no speed, and linear in it (l2f)."""
SIZE, INERTIAS = 0.0895, (1.0, 1.024, 1.854)
"""m from the middle to a rotor along forward and left, of 1 kg, and inertia as that about forward; as the Crazyflie."""


@dataclass(frozen=True)
class Fleet:
    """Ranges from which each episode draws its quadrotor and its air."""

    mass: Range = (0.02, 5.0)
    """kg; drawn evenly in its cube root, the size."""
    thrust_to_weight: Range = (1.5, 5.0)
    torque_to_inertia: Range = (40.0, 1200.0)
    """rad/s²: of a rotor's full thrust at its distance from the middle, as l2f counts it."""
    spin_up: Range = (0.03, 0.10)
    """s, time constant of a rotor that becomes faster."""
    spin_down: Range = (0.03, 0.30)
    """s, and of one that becomes slower."""
    moment: Range = (0.005, 0.05)
    """m, torque of a rotor about its axis per N of its thrust."""
    size: float = 0.1
    """How far the size may be from that of its mass, share of it."""
    drag: Range = (0.0, 0.3)
    """1/s, per unit of mass."""
    wind: float = 0.0
    """m/s, at most, in every direction."""
    latency: Range = (0.0, 0.0)
    """s, by which commands come late, at most a step."""
    by_ratio: bool = False
    """Thrust to weight and torque to inertia are drawn evenly in their logarithms: more of the weak and sluggish."""

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            low, high = value if isinstance(value, tuple | list) else (0.0, value)
            if not 0 <= low <= high:
                raise BurnishError(f"quadrotor: {part.name} must be a range of numbers from 0 on, is {value}")
        if self.by_ratio and not (self.thrust_to_weight[0] > 0 and self.torque_to_inertia[0] > 0):
            raise BurnishError("quadrotor: by_ratio needs thrust_to_weight and torque_to_inertia above 0")

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Fleet:
        """From a mapping. Raises `UnknownNameError` with the closest match."""
        registry.check_known("range of quadrotors", settings, [part.name for part in fields(cls)])
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()})  # pyright: ignore[reportArgumentType]

    @property
    def known(self) -> tuple[tuple[str, float, float], ...]:
        """Name, lowest and highest value of what may be known of a vehicle (`burnish.quadrotor.VEHICLE`)."""
        return tuple((name, *getattr(self, name)) for name in VEHICLE)

    def draw(self, seed: Tensor) -> Tensor:
        """(16, N) vehicles, each a function of its `seed` (N,) int64."""
        share = iter(noise.uniform(seed, noise.SALT, 14))

        def between(span: Range) -> Tensor:
            return span[0] + (span[1] - span[0]) * next(share)

        def strength(span: Range) -> Tensor:
            return span[0] * (span[1] / span[0]) ** next(share) if self.by_ratio else between(span)

        low, high = (bound ** (1 / 3) for bound in self.mass)
        mass = between((low, high)) ** 3
        heavy = strength(self.thrust_to_weight)
        most = heavy * mass * GRAVITY / 4
        arm = SIZE * mass ** (1 / 3) * between((1 - self.size, 1 + self.size))
        inertia = math.sqrt(2) * arm * most / strength(self.torque_to_inertia)
        up, down, moment = between(self.spin_up), between(self.spin_down), between(self.moment)
        drag, late = mass * between(self.drag), between(self.latency)
        wind = [between((-self.wind, self.wind)) for _ in range(3)]
        idle, linear = torch.full_like(mass, CURVE[0]), torch.full_like(mass, CURVE[1])
        turned = [factor * inertia for factor in INERTIAS]
        return torch.stack([mass, most, idle, linear, arm, moment, up, down, drag, late, *turned, *wind])


def _named(*values: float) -> tuple[float, ...]:
    found = (*values, 0.0, 0.0, 0.0)
    assert len(found) == VEHICLE_ROWS
    return found


NAMED: dict[str, tuple[float, ...]] = {
    "crazyflie": _named(
        *(0.0306, 0.1101288, 0.032010, 0.130512, 0.028, 0.004665, 0.05545, 0.24939, 0.005, 0.0),
        *(9.4166e-6, 9.6441e-6, 1.74595e-5),
    ),
    "x500": _named(2.064, 8.55, 0.0, 0.0, 0.174, 0.016, 0.0125, 0.025, 0.25, 0.0, 0.02167, 0.02167, 0.04),
}
"""Crazyflie 2.1 (l2f's numbers); the Holybro X500 of PX4's simulation, which `burnish sim-robot quadrotor` flies."""


def named(name: str, count: int) -> Tensor:
    """(16, N) `count` of one vehicle in still air. Raises `UnknownNameError` with the closest match."""
    if name not in NAMED:
        raise registry.unknown("quadrotor", name, NAMED)
    return torch.tensor(NAMED[name])[:, None].repeat(1, count)
