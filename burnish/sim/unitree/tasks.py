"""What is asked of a walking robot, and how good a moment is. Every function takes N lanes at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Ranges = dict[str, tuple[float, float]]
STILL_SHARE = 0.15
"""Of episodes in which a robot that learns to walk is to stand."""
LIFT_M = 0.05
"""How high a foot is to swing."""
VELOCITY_ERROR = 0.25
"""Mean difference to the velocity asked for in the floor's plane, m/s; mjlab's own tasks are judged alike."""


class Moment(NamedTuple):
    """Of N lanes.

    Attributes:
        asked: (N, 3) m/s, m/s, rad/s.
        velocity: (N, 3) of the body along its heading, to its left and up, m/s.
        turning: (N, 3) angular velocity in the body's frame, rad/s.
        gravity: (N, 3) its direction in the body's frame.
        height: (N,) of the body, m.
        feet: (N, F) how high they are above the floor, m.
        clock: (N,) sine of the gait's clock, 0 where it stands.
        change: (N, A) of the action, from the last one, rad.
        speeds: (N, A) of the joints, rad/s.
    """

    asked: Tensor
    velocity: Tensor
    turning: Tensor
    gravity: Tensor
    height: Tensor
    feet: Tensor
    clock: Tensor
    change: Tensor
    speeds: Tensor


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        success: when it is solved, in words.
        ranges: of the velocity that is asked for, by the names of `burnish.gait.VELOCITY`.
    """

    name: str
    success: str
    ranges: Ranges

    def draw(self, lanes: int) -> Tensor:
        """(lanes, 3) velocities to ask for."""
        low, high = torch.tensor(list(self.ranges.values()), dtype=torch.float64).T
        asked = low + torch.rand(lanes, 3, dtype=torch.float64) * (high - low)
        return asked * (torch.rand(lanes, 1) >= STILL_SHARE)


STANDING: Ranges = {"velocity_x": (0.0, 0.0), "velocity_y": (0.0, 0.0), "yaw_rate": (0.0, 0.0)}
WALKING: Ranges = {"velocity_x": (-0.3, 0.8), "velocity_y": (-0.2, 0.2), "yaw_rate": (-0.5, 0.5)}
_FOLLOWS = f"20 s without a fall, mean velocity error below {VELOCITY_ERROR} m/s"
TASKS = {task.name: task for task in (Task("stand", _FOLLOWS, STANDING), Task("velocity", _FOLLOWS, WALKING))}


def reward(moment: Moment, height_m: float) -> Tensor:
    """(N,) between 0 and 1: it moves as asked, its feet swing in turn and diagonally, its body is level and steady.

    Each scale is about as wide as what is to be found from standing, or nothing would lead there.
    """
    terms: tuple[tuple[float, Callable[[], Tensor]], ...] = (
        (0.35, lambda: _near(moment.velocity[:, :2] - moment.asked[:, :2], 0.4)),
        (0.15, lambda: _near(moment.turning[:, 2:] - moment.asked[:, 2:], 0.5)),
        (0.25, lambda: torch.exp(-(((moment.feet - due(moment.clock)) / 0.04) ** 2)).mean(1)),
        (0.10, lambda: _near(moment.gravity[:, :2], 0.2)),
        (0.05, lambda: _near(moment.height[:, None] - height_m, 0.05)),
        (0.04, lambda: _near(torch.cat([moment.velocity[:, 2:], moment.turning[:, :2] / 3], dim=1), 0.4)),
        (0.03, lambda: _near(moment.change, 0.5)),
        (0.03, lambda: _near(moment.speeds, 15.0)),
    )
    return sum((weight * term() for weight, term in terms), torch.zeros_like(moment.height))


def due(clock: Tensor) -> Tensor:
    """(N, 4) m: how high FR, FL, RR and RL are to be, when diagonal pairs swing in turn (a trot)."""
    one, other = clock.clamp(min=0), (-clock).clamp(min=0)
    return LIFT_M * torch.stack([one, other, other, one], dim=1)


def _near(away: Tensor, scale: float) -> Tensor:
    """1 where `away` (N, K) is nothing, falling to 0 over some `scale`."""
    return torch.exp(-(away / scale).square().sum(1))
