"""An expert that trots: legs swing in diagonal pairs to a clock, and are put where the body falls to.

Every leg's thigh and calf follow a sine of the gait's clock, the calf to lift the foot, the thigh to sweep it along the
velocity of its own hip; what the gyroscope and gravity say is answered by hips, thighs and calves at once. Its numbers
are those that a search by the cross-entropy method found in the world itself.
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
HALF_WIDTH_M, HALF_LENGTH_M = 0.14, 0.19
"""From the body's middle to a foot."""


@dataclass(frozen=True)
class Trot:
    """Its numbers: rad, or what is said."""

    lift: float = 0.429
    """Of the calf, up and down from `calf`: most of it carries the body, whose weight bends a soft leg."""
    couple: float = 0.476
    """Of it, which the thigh goes the other way, so that the foot moves up and down."""
    stride: float = 0.439
    """Of the thigh per m/s of its hip, and
    side: of the hip."""
    side: float = 0.363
    lead: float = 0.196
    """Of lifting, and
    sweep: of striding, before the clock."""
    sweep: float = 1.61
    thigh0: float = 0.035
    calf0: float = 0.067
    """By which the legs stand otherwise than they would."""
    hipw: float = -0.012
    """By which the feet stand apart."""
    skew: float = 0.076
    """Of the thighs, per m/s forward."""
    roll_hip: float = 0.26
    rate_hip: float = -0.017
    roll_calf: float = 0.14
    pitch_calf: float = -0.684
    pitch_thigh: float = -0.006
    rate_thigh: float = -0.0
    """What they answer to gravity's direction (1) and to the rate (rad/s) about the same axis."""


TROT = Trot()


class UnitreeExpert:
    """Stands and walks; it never disturbs itself, for its world pushes it."""

    def __init__(self, env: VecEnv, *, noise: float = 0.0, push_steps: int = 0, trot: Trot = TROT) -> None:
        """`noise`, `push_steps`: of no use here. Raises `BurnishError` for another simulator's environment."""
        if not env.task.startswith("unitree/"):
            raise BurnishError(f"the walking robots' expert shows unitree/TASK, not {env.task}")
        field, told = env.contract.observation, env.contract.observation[ENVIRONMENT_STATE].names
        self._state = {name: place for place, name in enumerate(field[STATE].names)}
        self._told = {name: place for place, name in enumerate(told)}
        action = env.contract.action
        assert action.low is not None and action.high is not None
        self._low, self._high = torch.tensor(action.low), torch.tensor(action.high)
        self.trot, self.label = trot, torch.tensor(GO2.path[-1]).repeat(env.num_envs, 1)

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """It remembers nothing."""

    def looks(self) -> list[int]:
        """It is blind."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, A), which are their own labels."""
        trot = self.trot
        felt = {name: obs[STATE][:, place, None] for name, place in self._state.items()}
        told = {name: obs[ENVIRONMENT_STATE][:, place, None] for name, place in self._told.items()}
        lifted, _ = _turned(told["clock_sin"], told["clock_cos"], trot.lead)
        _, swept = _turned(told["clock_sin"], told["clock_cos"], trot.lead + trot.sweep)
        lifted, swept = PAIR * lifted, PAIR * swept
        ahead = told["velocity_x"] - HALF_WIDTH_M * LEFT * told["yaw_rate"]
        aside = told["velocity_y"] + HALF_LENGTH_M * FRONT * told["yaw_rate"]
        roll, pitch = felt["gravity_y"], felt["gravity_x"]
        hip = (
            -trot.side * aside * swept + trot.hipw * LEFT + trot.roll_hip * roll
            + trot.rate_hip * felt["angular_velocity_x"]
        )  # fmt: skip
        thigh = (
            trot.thigh0 + trot.couple * trot.lift * lifted + trot.stride * ahead * swept
            + trot.skew * told["velocity_x"] + trot.pitch_thigh * pitch
            + trot.rate_thigh * felt["angular_velocity_y"]
        )  # fmt: skip
        calf = trot.calf0 - trot.lift * lifted + trot.roll_calf * roll * LEFT + trot.pitch_calf * pitch * FRONT
        bent = torch.stack([hip, thigh, calf], dim=-1).flatten(1) + torch.tensor(GO2.path[-1])
        self.label = torch.minimum(torch.maximum(bent, self._low), self._high)
        return self.label


def _turned(sine: Tensor, cosine: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Sine and cosine of a clock that is `angle` (rad) further."""
    ahead, aside = math.cos(angle), math.sin(angle)
    return sine * ahead + cosine * aside, cosine * ahead - sine * aside
