"""Re-planning through the next two gates, and how much of a quadrotor's limits a plan takes.

A plan is a minimum-snap trajectory; what a planner decides is its times, where in the gates it passes, and how fast it
leaves the second one. It plans again at every gate, from where the last plan has brought it.
"""

from __future__ import annotations

from typing import Protocol, override

import torch
from torch import Tensor

from burnish.quadrotor import GRAVITY
from burnish.sim.quadrotor.control import PULL, TILT
from burnish.sim.quadrotor.dynamics import ARM, DRAG, INERTIA, MASS, THRUST
from burnish.sim.quadrotor.snap import Trajectory, through

SAMPLES = 10
"""Of each leg, where its demands are looked at."""
LEVER = 0.25
"""Share of a rotor's full thrust that may turn the body."""
SPIN = 7.0
"""rad/s of roll and pitch that a plan may ask for."""
DIVE = 0.3
"""Least lift per weight: with less, rotors that slow down late cannot follow."""


def forces(trajectory: Tensor, vehicle: Tensor) -> tuple[Tensor, Tensor]:
    """What the rotors must give per mass, (3, …, N) m/s², for derivatives (5, 3, …, N), and the angular velocity and
    acceleration (6, …, N), rad/s and rad/s², world, of the axis along it (Mellinger and Kumar, section III)."""
    _, velocity, acceleration, jerk, snap = trajectory
    pull = acceleration + vehicle[DRAG] / vehicle[MASS] * velocity
    force = torch.cat([pull[:2], pull[2:] + GRAVITY])
    length = force.square().sum(0).sqrt()
    up = force / length
    turning = torch.linalg.cross(up, jerk / length, dim=0)
    slower = 2 * (up * jerk).sum(0) / length
    return force, torch.cat([turning, torch.linalg.cross(up, snap / length, dim=0) - slower * turning])


def demand(plan: Trajectory, vehicle: Tensor) -> Tensor:
    """(5, M · S, N) shares of its limits that a plan takes: thrust, tilt, dive, angular velocity and acceleration."""
    force, turn = forces(plan.sampled(SAMPLES).flatten(2, 3), vehicle)
    most = 4 * PULL * vehicle[THRUST]
    lift = force[2] / GRAVITY
    thrust = force.square().sum(0).sqrt() * vehicle[MASS] / most
    tilt = force[:2].square().sum(0).add(1e-9).sqrt() / (TILT * GRAVITY * lift.clamp(min=DIVE))
    agile = 4 * vehicle[ARM] * LEVER * vehicle[THRUST] / vehicle[INERTIA.start]
    spin, faster = (part.square().sum(0).add(1e-9).sqrt() for part in (turn[:3], turn[3:]))
    return torch.stack([thrust, tilt, 1 + DIVE - lift, spin / SPIN, faster / agile])


class Planner(Protocol):
    """Plans through two gates."""

    def plan(self, start: Tensor, gates: Tensor, vehicle: Tensor) -> Trajectory:
        """Two legs, float64.

        Args:
            start: (4, 3, N) place, velocity, acceleration, jerk; m and s.
            gates: (10, N) middle and direction of the next two, as `quadrotor/race` tells.
            vehicle: (16, N), see `dynamics`.
        """
        ...


def middles(gates: Tensor) -> tuple[Tensor, Tensor]:
    """Middles (2, 3, N), m, and directions (2, 3, N) of two gates (10, N)."""
    rows = gates.view(2, 5, -1)
    return rows[:, :3], torch.cat([rows[:, 3:], torch.zeros_like(rows[:, :1])], dim=1)


def quickest(
    start: Tensor, places: Tensor, times: Tensor, leaving: Tensor, vehicle: Tensor, share: float, slower: Tensor
) -> Trajectory:
    """The first of the plans, as many times as slow as `slower` (C,) says, that takes at most `share` of every limit,
    or else that which takes the least. Others as for `through`; `leaving` is at once slower too."""
    count, lanes = len(slower), times.shape[1]
    every = slower.repeat_interleave(lanes)
    plans = through(
        start.repeat(1, 1, count), places.repeat(1, 1, count), times.repeat(1, count) * every,
        leaving.repeat(1, count) / every,
    )  # fmt: skip
    worst = demand(plans, vehicle.repeat(1, count)).amax((0, 1)).view(count, lanes)
    fits = worst <= share
    chosen = torch.where(fits.any(0), fits.int().argmax(0), worst.argmin(0))
    return plans.lanes(chosen * lanes + torch.arange(lanes))


class MinimumSnap(Planner):
    """Through the gates' middles, in times of which the ratio makes snap least (Mellinger and Kumar, section IV) and
    the sum is the shortest that the limits allow."""

    def __init__(self, share: float = 0.9, leaving: float = 0.6) -> None:
        """`share`: of the limits that a plan may take. `leaving`: speed at the second gate, straight through it, as a
        share of the mean speed towards it."""
        self._share, self._leaving = share, leaving

    @override
    def plan(self, start: Tensor, gates: Tensor, vehicle: Tensor) -> Trajectory:
        places, ahead = middles(gates)
        lengths = torch.stack([places[0] - start[0], places[1] - places[0]]).square().sum(1).sqrt().clamp(min=0.1)
        total, part = lengths.sum(0) / USUAL_SPEED, lengths[0] / lengths.sum(0)
        parts = torch.sigmoid(torch.logit(part) + RATIOS[:, None])
        count, lanes = parts.shape
        times = torch.stack([parts, 1 - parts]).flatten(1) * total.repeat(count)
        leaving = self._leaving * ahead[1] * lengths[1]
        plans = through(
            start.repeat(1, 1, count), places.repeat(1, 1, count), times, leaving.repeat(1, count) / times[1]
        )
        snap = plans.sampled(SAMPLES)[4].square().sum(0).mean(1) * times  # ∫ |snap|² dt of each leg
        best = snap.sum(0).view(count, lanes).argmin(0)
        times = times[:, best * lanes + torch.arange(lanes)]
        return quickest(start, places, times, leaving / times[1], vehicle, self._share, SLOWER)


USUAL_SPEED = 4.0
"""m/s, at which the ratio of times is decided."""
RATIOS = torch.linspace(-0.9, 0.9, 7, dtype=torch.float64)
"""By which the logit of the first leg's share of the time may differ from that of its length."""
SLOWER = torch.logspace(-0.35, 0.65, 24, dtype=torch.float64)
