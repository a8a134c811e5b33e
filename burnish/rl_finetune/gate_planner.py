"""A planner that has learned: a small network decides what a minimum-snap trajectory through two gates leaves open.

It reads where the quadrotor is and how it moves, and the gate after the next, all in the frame of the next gate; and
how much of the limits may be taken. It says how long both legs take, where in the gates they pass, and with what
velocity the second is left. The same for every quadrotor of its kind, and what it says is checked before it is flown.
"""

from __future__ import annotations

from typing import override

import numpy as np
import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import ACTION, STATE, Contract, Field
from burnish.policies.mlp import MLP
from burnish.sim.quadrotor.flights import RATE_HZ
from burnish.sim.quadrotor.planners import Planner, middles, quickest
from burnish.sim.quadrotor.snap import Trajectory
from burnish.sim.quadrotor.tasks import OPENING_M

FRAME = "next gate: x through it, y left, z up; its middle"
MOVING = ("", "v", "a", "j")
READ = (*(f"{what}{axis}" for what in MOVING for axis in "xyz"), *(f"next_{axis}" for axis in "xyz"), "next_cos",
        "next_sin", "share")  # fmt: skip
READ_UNITS = (*(unit for unit in ("m", "m/s", "m/s²", "m/s³") for _ in "xyz"), "m", "m", "m", "1", "1", "1")
MIDDLE = (-2.0, *[0.0] * 11, 2.5, 0.0, 0.0, 0.5, 0.8, 0.9)
WIDE = (1.0, 1.0, 0.5, 2.0, 2.0, 1.0, 5.0, 5.0, 2.0, 20.0, 20.0, 10.0, 1.0, 2.0, 0.5, 0.5, 0.5, 0.1)
"""What is usual of what is read, and what is much."""
SAID = ("leg_1", "leg_2", "through", "left", "up", "aside_1", "above_1", "aside_2", "above_2")
SAID_UNITS = ("s", "s", "m/s", "m/s", "m/s", "m", "m", "m", "m")
CLEAR_M = 0.2
"""From a gate's frame to where it may be passed."""
LOW = (0.3, 0.3, 0.5, -4.0, -2.0, *[CLEAR_M - OPENING_M] * 4)
HIGH = (2.3, 2.3, 8.5, 4.0, 2.0, *[OPENING_M - CLEAR_M] * 4)
SLOWER = torch.tensor([1.0, 1.04, 1.09, 1.15, 1.25, 1.4, 1.6, 2.0], dtype=torch.float64)
"""What is tried in turn until a plan stays within the limits."""


def contract() -> Contract:
    """What is read and said, in SI units."""
    state = Field((len(READ),), READ, READ_UNITS, FRAME, RATE_HZ, "mean_std")
    return Contract({STATE: state}, Field((9,), SAID, SAID_UNITS, FRAME, RATE_HZ, "min_max", low=LOW, high=HIGH))


def scales() -> Stats:
    """Statistics that say what is usual, and what is much."""
    low, high = np.array(LOW, np.float32), np.array(HIGH, np.float32)
    middle, wide = np.array(MIDDLE, np.float32), np.array(WIDE, np.float32)
    seen = {"mean": middle, "std": wide, "min": middle - 2 * wide, "max": middle + 2 * wide}
    return {STATE: seen, ACTION: {"mean": (low + high) / 2, "std": (high - low) / 2, "min": low, "max": high}}


def read(start: Tensor, gates: Tensor, share: Tensor) -> Tensor:
    """(N, 18) what the network reads of states (4, 3, N), gates (10, N) and shares (N,)."""
    places, ahead = middles(gates)
    moving = torch.cat([start[:1] - places[0], start[1:], (places[1] - places[0])[None], ahead[1:]])
    turned = _into(ahead[0], moving)
    return torch.cat([turned[:5].flatten(0, 1), turned[5, :2], share[None]]).T.float()


def decided(said: Tensor, gates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Places (2, 3, N), m, times (2, N), s, and velocity at the end (3, N), m/s, of what the network `said` (N, 9)."""
    rows, (places, ahead) = said.T.double(), middles(gates)
    left = torch.stack([-ahead[:, 1], ahead[:, 0], torch.zeros_like(ahead[:, 0])], dim=1)
    above = torch.zeros_like(left)
    above[:, 2] = 1
    aside, high = rows[5::2, None], rows[6::2, None]
    leaving = rows[2] * ahead[1] + rows[3] * left[1] + rows[4] * above[1]
    return places + aside * left + high * above, rows[:2], leaving


def _into(ahead: Tensor, vectors: Tensor) -> Tensor:
    """`vectors` (K, 3, N) of the world in a frame with its x along `ahead` (3, N)."""
    cos, sin, _ = ahead
    x, y, z = vectors.unbind(1)
    return torch.stack([cos * x + sin * y, cos * y - sin * x, z], dim=1)


class LearnedPlanner(Planner):
    """An `MLP` with `contract`, whose plans are slowed down where they take more than `share` of a limit."""

    def __init__(self, policy: MLP, share: float = 0.9) -> None:
        self._policy, self._share = policy, share

    @override
    @torch.no_grad()
    def plan(self, start: Tensor, gates: Tensor, vehicle: Tensor) -> Trajectory:
        places, times, leaving = self.decide(start, gates, torch.full_like(start[0, 0], self._share))
        return quickest(start, places, times, leaving, vehicle, self._share, SLOWER)

    def decide(self, start: Tensor, gates: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`decided` by the network, differentiable."""
        centre, seen = self._policy.split(self._policy.encode({STATE: read(start, gates, share)}))
        return decided(self._policy.command(centre, self._policy.network(seen)), gates)
