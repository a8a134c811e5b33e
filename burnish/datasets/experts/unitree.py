"""An expert that stands and trots: diagonal pairs of legs swing to the clock that it is told.

The calf lifts the foot by a sine of the clock, the thigh sweeps it along the velocity of its own hip, and gravity's
direction is answered at once. Legs that follow softly are late, so the thigh is told early; by how much, and the other
numbers, were searched in the world itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.errors import BurnishError
from burnish.sim.base import VecEnv
from burnish.unitree import GO2

PAIR, FRONT, LEFT = torch.tensor([[1.0, -1, -1, 1], [1, 1, -1, -1], [-1, 1, -1, 1]])
"""Of FR, FL, RR and RL: which swings first, which are in front, which on the left."""
HALF_LENGTH_M, HALF_WIDTH_M = 0.19, 0.14
"""From the body's middle to a foot."""


@dataclass(frozen=True)
class Trot:
    """Its numbers."""

    lift: float = 0.43
    """rad, of the calf to either side: most of it carries the body, under whose weight a soft leg bends."""
    couple: float = 0.48
    """Share of `lift` by which the thigh goes the other way, so that the foot moves up and down."""
    stride: float = 0.44
    """rad per m/s, of the thigh."""
    side: float = 0.36
    """rad per m/s, of the hip."""
    lead: float = 0.2
    """rad, by which legs are told early."""
    sweep: float = 1.61
    """rad, by which striding is told earlier than lifting."""
    inward: float = 0.012
    """rad, by which hips keep the feet nearer to the middle."""
    bent: tuple[float, float] = (0.035, 0.067)
    """rad, thigh and calf, on top of the standing pose."""
    lean: float = 0.077
    """rad per m/s forward, of the thighs."""
    roll_hip: float = 0.26
    """rad, of the hips per unit of gravity to the left, and"""
    roll_calf: float = 0.14
    """of the left calves; the right ones go the other way."""
    rate_hip: float = -0.017
    """rad per rad/s of rolling, of the hips."""
    pitch_calf: float = -0.68
    """rad, of the front calves per unit of gravity forward; the rear ones go the other way."""


TROT = Trot()


class UnitreeExpert:
    """It never disturbs itself, for its world pushes it."""

    def __init__(self, env: VecEnv, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """`noise`, `push_steps`: of no use here. Raises `BurnishError` for another simulator's environment."""
        if not env.task.startswith("unitree/"):
            raise BurnishError(f"the walking robots' expert shows unitree/TASK, not {env.task}")
        self._fields, action = env.contract.observation, env.contract.action
        assert action.low is not None and action.high is not None
        self._low, self._high = torch.tensor(action.low), torch.tensor(action.high)
        self.label: Tensor = torch.tensor(GO2.path[-1]).repeat(env.num_envs, 1)

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """It remembers nothing."""

    def looks(self) -> list[int]:
        """It is blind."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, A), which are their own labels."""
        keys = (STATE, ENVIRONMENT_STATE)
        known = {name: obs[key][:, [place]] for key in keys for place, name in enumerate(self._fields[key].names)}
        targets = torch.stack(trot(known), dim=-1).flatten(1) + torch.tensor(GO2.path[-1])
        self.label = torch.minimum(torch.maximum(targets, self._low), self._high)
        return self.label


def trot(known: Mapping[str, Tensor], numbers: Trot = TROT) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 4) each: hips, thighs and calves beside standing, rad, of what is `known` by name (N, 1)."""
    forward, turning = known["velocity_x"], known["yaw_rate"]
    lifted, _ = _early(known, numbers.lead)
    _, swept = _early(known, numbers.lead + numbers.sweep)
    ahead = forward - HALF_WIDTH_M * LEFT * turning
    aside = known["velocity_y"] + HALF_LENGTH_M * FRONT * turning
    lift, (thigh, calf) = numbers.lift * PAIR * lifted, numbers.bent
    roll, pitch = known["gravity_y"], known["gravity_x"]
    return (
        numbers.roll_hip * roll
        + numbers.rate_hip * known["angular_velocity_x"]
        - numbers.inward * LEFT
        - numbers.side * aside * PAIR * swept,
        thigh + numbers.couple * lift + numbers.stride * ahead * PAIR * swept + numbers.lean * forward,
        calf - lift + numbers.roll_calf * roll * LEFT + numbers.pitch_calf * pitch * FRONT,
    )


def _early(known: Mapping[str, Tensor], angle: float) -> tuple[Tensor, Tensor]:
    """Sine and cosine of the clock, `angle` (rad) further on."""
    sine, cosine = known["clock_sin"], known["clock_cos"]
    ahead, aside = math.cos(angle), math.sin(angle)
    return sine * ahead + cosine * aside, cosine * ahead - sine * aside
