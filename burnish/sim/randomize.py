"""What of a world is uncertain, the same small config for every simulator that can: drawn once per episode, from the
episode's own seed. Nothing, unless asked for.

`VecEnv.randomizes` names what a simulator can; `make_env(..., settings={"randomize": {"mass": 0.3}})` asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from burnish import registry
from burnish.errors import BurnishError


@dataclass(frozen=True)
class Randomization:
    """How far each thing may be from what it is by default; uniform unless noise."""

    mass: float = 0.0
    """Of the objects, share of it."""
    friction: float = 0.0
    """Of the objects, share of it."""
    stiffness: float = 0.0
    """Of the arm's controller, share of it, every joint by itself; damping with it."""
    latency_s: float = 0.0
    """By which actions come into effect late, at most; less than one action lasts."""
    pause: float = 0.0
    """Share of actions after which the robot stands still, up to `PAUSE_S`, as one that plans before it goes on."""
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
        registry.check_known("randomization", settings, EVERYTHING)
        return cls(**settings)

    @property
    def changes_model(self) -> bool:
        """Whether each lane needs a model of its own."""
        return bool(self.mass or self.friction or self.stiffness)

    def seen(self, seed: int, moment: int, joints: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`joints` (J,) and what only a simulator has `known` (K,), as they are observed so many steps into the episode
        of `seed`."""
        if not (self.joint_noise or self.object_noise):
            return joints, known
        random = noise(seed, moment)
        joints = joints + self.joint_noise * random.standard_normal(len(joints))
        return joints, known + self.object_noise * random.standard_normal(len(known))


PAUSE_S = 0.2
EVERYTHING = tuple(part.name for part in fields(Randomization))


def uncertain(
    task: str, settings: Mapping[str, float] | None, able: Sequence[str], period_s: float
) -> dict[str, float]:
    """`settings` as plain data, once it is sure that `task` can do that with actions of `period_s`.

    Raises `UnknownNameError`, and `BurnishError` for what only other simulators draw.
    """
    given = dict(settings or {})
    if Randomization.of(given).latency_s >= period_s:
        raise BurnishError(f"{task}: randomize.latency_s must be below one action's {period_s:g} s")
    for name in given:
        if name not in able:
            raise BurnishError(f"{task}: randomize.{name} is not drawn by this simulator; it has {', '.join(able)}")
    return given


def asked(randomize: Mapping[str, float]) -> dict[str, Any]:
    """Settings for `make_env` that ask for `randomize`; none if that is empty, as most worlds have none."""
    return {"randomize": dict(randomize)} if randomize else {}


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


def pause(share: float, seed: int, moment: int, most: int) -> int:
    """Actions, up to `most`, for which the robot stands still after so many steps of the episode of `seed`."""
    random = np.random.default_rng([seed, 5, moment])
    return int(random.integers(1, most + 1)) if random.uniform() < share else 0


def noise(seed: int, moment: int) -> np.random.Generator:
    """Of what is observed after so many steps of the episode of `seed`."""
    return np.random.default_rng([seed, 3, moment])
