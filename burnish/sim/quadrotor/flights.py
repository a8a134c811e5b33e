"""N flights side by side: how they begin, what a step makes of them, and what their sensors see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from burnish.sim.quadrotor import noise
from burnish.sim.quadrotor.dynamics import (
    ATTITUDE,
    POSITION,
    RATES,
    VELOCITY,
    advance,
    delayed,
    hover_command,
    rotation,
)
from burnish.sim.quadrotor.tasks import HOME, Task

RATE_HZ = 100.0
SENSORS = (0.005, 0.005, 0.02, 0.02)
"""Standard deviations of position, m, attitude, rad, velocity, m/s, and angular velocity, rad/s, at `noise=1`."""
PUSHED = (0.5, 0.5, 1.0, 1.0)
"""How far from rest at home a flight may begin, each axis: m, rad, m/s, rad/s."""
FENCE_M, SPIN = (5.0, 5.0, 4.0), 35.0
"""Beyond which it has crashed: m to the east, north and up (the ground is at 0); rad/s."""


@dataclass
class Flights:
    """Everything that is remembered; the last dimension is the lane.

    Attributes:
        vehicle, state: (16, N), (17, N), see `dynamics`.
        command: (4, N) the last one.
        goal: (G, N) what is to be flown, see `tasks`.
        progress: (N,) what the task counts.
        seed, steps: (N,) int64 of the flight, and of how many steps it is; -1: it has not begun.
        ended: (N,) bool.
    """

    vehicle: Tensor
    state: Tensor
    command: Tensor
    goal: Tensor
    progress: Tensor
    seed: Tensor
    steps: Tensor
    ended: Tensor


class Outcome(NamedTuple):
    """Of a step: `state` (17, N), `command` (4, N), `progress` (N,), in lanes that rest as they were; `solved`,
    `crashed` (N,) bool, `reward` (N,) 0 … 1, nothing there; `sensed` (N, 18), `known` (N, K) as if none rested."""

    state: Tensor
    command: Tensor
    progress: Tensor
    solved: Tensor
    crashed: Tensor
    reward: Tensor
    sensed: Tensor
    known: Tensor


Step = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Outcome]


def stepper(task: Task, noisy: float) -> Step:
    """What a step of `task` does with vehicle, state, command, the one before, goal, progress, seed and steps, and
    which lanes take it: one function of tensors alone, to be compiled as a whole."""

    def step(
        vehicle: Tensor, state: Tensor, command: Tensor, before: Tensor, goal: Tensor, progress: Tensor, seed: Tensor,
        steps: Tensor, active: Tensor,
    ) -> Outcome:  # fmt: skip
        time = (steps + 1) / RATE_HZ
        moved = advance(state, vehicle, delayed(command, before, vehicle, 1 / RATE_HZ), 1 / RATE_HZ)
        counted, solved, crashed = task.judge(goal, progress, time, state, moved)
        crashed = crashed | lost(moved)
        near = 1 - torch.tanh(task.away(goal, counted, time, moved) / 0.5)
        reward = ((counted + near) / task.count).clamp(0, 1) if task.passes else near
        sensed, known = sense(moved, seed, steps + 1, noisy), task.know(goal, counted, time)
        return Outcome(
            torch.where(active, moved, state),
            torch.where(active, command, before),
            torch.where(active, counted, progress),
            solved & ~crashed & active,
            crashed & active,
            torch.where(active, reward, 0.0),
            sensed,
            known.T.contiguous(),
        )

    return step


def begin(task: Task, seed: Tensor, vehicle: Tensor, pushed: float) -> Flights:
    """The flights of `seed` (N,), near rest at home."""
    share = (2 * noise.uniform(seed, 3 * noise.SALT, 12) - 1) * pushed
    place = torch.tensor(HOME, device=seed.device)[:, None] + PUSHED[0] * share[:3]
    turned = torch.cat([torch.ones_like(share[:1]), PUSHED[1] / 2 * share[3:6]])
    attitude = turned / turned.square().sum(0).sqrt()
    command = hover_command(vehicle).clamp(0, 1).repeat(4, 1)
    state = torch.cat([place, PUSHED[2] * share[6:9], attitude, PUSHED[3] * share[9:12], command])
    none = torch.zeros_like(seed)
    return Flights(vehicle, state, command, task.draw(seed), none.float(), seed, none, none.bool())


def sense(state: Tensor, seed: Tensor, steps: Tensor, noisy: float) -> Tensor:
    """(N, 18) `observation.state`, with noise: `noisy` times `SENSORS`."""
    turned = rotation(state[ATTITUDE])
    if not noisy:
        return torch.cat([state[POSITION], turned, state[VELOCITY], state[RATES]]).T.contiguous()
    place, angle, speed, turning = (noisy * one for one in SENSORS)
    drawn = noise.normal(seed, 4 * noise.SALT + 8 * steps, 12)
    x, y, z = angle * drawn[3:6]
    forward, left, up = (turned[column::3] for column in range(3))
    wobbly = torch.stack([forward + z * left - y * up, left + x * up - z * forward, up + y * forward - x * left], dim=1)
    seen = [state[POSITION] + place * drawn[:3], wobbly.flatten(0, 1)]
    seen += [state[VELOCITY] + speed * drawn[6:9], state[RATES] + turning * drawn[9:12]]
    return torch.cat(seen).T.contiguous()


def lost(state: Tensor) -> Tensor:
    """(N,) bool: outside the fence, on the ground, spinning, or nowhere, for a number that is none is in no range."""
    x, y, z = state[POSITION]
    inside = (x.abs() <= FENCE_M[0]) & (y.abs() <= FENCE_M[1]) & (z <= FENCE_M[2]) & (z >= 0)
    return ~(inside & (state[RATES].square().sum(0) <= SPIN**2))
