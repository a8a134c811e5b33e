"""What is to be flown: a place, a path, places in turn, a race through gates. Every function takes N lanes at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from burnish.sim.quadrotor import noise
from burnish.sim.quadrotor.dynamics import POSITION

HOME = (0.0, 0.0, 1.5)
"""Where it begins, nearly, m."""
NEAR_M, HELD_STEPS = 0.05, 100
"""Hovering is to stay so near for so long."""
ALONG_M, FOLLOWED_STEPS = 0.4, 300
PASS_M, WAYPOINTS = 0.15, 4
GATES, OPENING_M, FRAME_M = 6, 0.4, 0.15
"""Half of a gate's opening, and the width of its frame."""


class Verdict(NamedTuple):
    """`progress` (N,) float: what was counted so far; `solved`, `crashed` (N,) bool."""

    progress: Tensor
    solved: Tensor
    crashed: Tensor


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        names, units: of `know`.
        draw: seeds (N,) → what is to be flown (G, N).
        know: what is to be flown, progress and time (N,) s → (K, N) what the policy is told of it.
        judge: what is to be flown, progress, time and states before and after a step.
        away: what is to be flown, progress, time, state → (N,) m to where it should be next.
        count: progress at which it is solved.
        passes: whether progress counts places that were passed, not time that it stayed.
    """

    name: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    draw: Callable[[Tensor], Tensor]
    know: Callable[[Tensor, Tensor, Tensor], Tensor]
    judge: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Verdict]
    away: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    count: int
    passes: bool = False


TARGET = ("target_x", "target_y", "target_z", "target_vx", "target_vy", "target_vz")
TARGET_UNITS = ("m",) * 3 + ("m/s",) * 3


def _hover_draw(seed: Tensor) -> Tensor:
    return torch.tensor(HOME, device=seed.device)[:, None].repeat(1, len(seed))


def _hover_know(goal: Tensor, progress: Tensor, time: Tensor) -> Tensor:
    return torch.cat([goal, torch.zeros_like(goal)])


def _path_draw(seed: Tensor) -> Tensor:
    """Half of a figure's width, depth and height, m; rad/s; its phase, rad."""
    share = noise.uniform(seed, 2 * noise.SALT, 5)
    low = torch.tensor([0.5, 0.3, 0.0, 2 * math.pi / 12, 0.0], device=seed.device)[:, None]
    high = torch.tensor([1.5, 0.8, 0.3, 2 * math.pi / 6, 2 * math.pi], device=seed.device)[:, None]
    return low + share * (high - low)


def path(goal: Tensor, time: Tensor) -> Tensor:
    """(6, N) place and velocity on a lying eight: twice as fast across as along."""
    width, depth, height, speed, phase = goal
    angle = speed * time + phase
    along, across, up = width * angle.sin(), depth * (2 * angle).sin(), HOME[2] + height * angle.cos()
    moving = width * angle.cos(), 2 * depth * (2 * angle).cos(), -height * angle.sin()
    return torch.stack([along, across, up, *(speed * one for one in moving)])


def _path_know(goal: Tensor, progress: Tensor, time: Tensor) -> Tensor:
    return path(goal, time)


def _stays(know: Callable[[Tensor, Tensor, Tensor], Tensor], near_m: float, steps: int) -> Callable[..., Verdict]:
    """Solved when it was within `near_m` of where it should be for `steps` in a row."""

    def judge(goal: Tensor, progress: Tensor, time: Tensor, before: Tensor, after: Tensor) -> Verdict:
        near = _distance(know(goal, progress, time)[:3], after) < near_m
        progress = torch.where(near, progress + 1, 0.0)
        return Verdict(progress, progress >= steps, torch.zeros_like(near))

    return judge


def _from(know: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    return lambda goal, progress, time, state: _distance(know(goal, progress, time)[:3], state)


def _distance(place: Tensor, state: Tensor) -> Tensor:
    return (place - state[POSITION]).square().sum(0).sqrt()


def _places_draw(seed: Tensor) -> Tensor:
    share = noise.uniform(seed, 2 * noise.SALT, 3 * WAYPOINTS)
    low, high = (torch.tensor(corner, device=seed.device).repeat(WAYPOINTS)[:, None] for corner in BOX)
    return low + share * (high - low)


BOX = ((-1.5, -1.5, 0.8), (1.5, 1.5, 2.2))
"""In which waypoints lie, corners, m."""


def _member(goal: Tensor, number: Tensor, rows: int) -> Tensor:
    """(rows, N): of a list in `goal`, the member that `number` (N,) says; after the last one, that."""
    place = number.long().clamp(max=len(goal) // rows - 1) * rows
    return goal.gather(0, place + torch.arange(rows, device=goal.device)[:, None])


def _places_know(goal: Tensor, progress: Tensor, time: Tensor) -> Tensor:
    return torch.cat([_member(goal, progress, 3), _member(goal, progress + 1, 3)])


def _places_judge(goal: Tensor, progress: Tensor, time: Tensor, before: Tensor, after: Tensor) -> Verdict:
    passed = _distance(_member(goal, progress, 3), after) < PASS_M
    progress = progress + passed
    return Verdict(progress, progress >= WAYPOINTS, torch.zeros_like(passed))


def _gates_draw(seed: Tensor) -> Tensor:
    """Of each gate its middle (3), m, and its direction (cos, sin): a round course, never twice the same."""
    share = noise.uniform(seed, 2 * noise.SALT, 4 * GATES).view(GATES, 4, -1)
    angle = (torch.arange(GATES, device=seed.device)[:, None] + 0.6 * (share[:, 0] - 0.5)) * (2 * math.pi / GATES)
    radius, turned = 2.0 + share[:, 1], angle + math.pi / 2 + 0.8 * (share[:, 2] - 0.5)
    rows = [radius * angle.cos(), radius * angle.sin(), 1.0 + share[:, 3], turned.cos(), turned.sin()]
    return torch.stack(rows, dim=1).flatten(0, 1)


def _gates_know(goal: Tensor, progress: Tensor, time: Tensor) -> Tensor:
    return torch.cat([_member(goal, progress % GATES, 5), _member(goal, (progress + 1) % GATES, 5)])


def _gates_judge(goal: Tensor, progress: Tensor, time: Tensor, before: Tensor, after: Tensor) -> Verdict:
    """Through the gate's plane, the right way: inside its opening it counts, on its frame it is a crash."""
    gate = _member(goal, progress % GATES, 5)
    x, y, z, cos, sin = gate
    first, then = (place[POSITION] for place in (before, after))
    past = [(place[0] - x) * cos + (place[1] - y) * sin for place in (first, then)]
    share = (past[0] / (past[0] - past[1]).clamp(max=-1e-9)).clamp(0, 1)
    where = first + share * (then - first)
    aside = ((where[1] - y) * cos - (where[0] - x) * sin).abs()
    off = torch.maximum(aside, (where[2] - z).abs())
    crossed = (past[0] < 0) & (past[1] >= 0)
    progress = progress + (crossed & (off < OPENING_M))
    hit = crossed & (off >= OPENING_M) & (off < OPENING_M + FRAME_M)
    return Verdict(progress, progress > GATES, hit)


GATE = ("x", "y", "z", "cos", "sin")

HOVER = Task(
    "hover",
    TARGET,
    TARGET_UNITS,
    _hover_draw,
    _hover_know,
    _stays(_hover_know, NEAR_M, HELD_STEPS),
    _from(_hover_know),
    HELD_STEPS,
)
TRACK = Task(
    "track",
    TARGET,
    TARGET_UNITS,
    _path_draw,
    _path_know,
    _stays(_path_know, ALONG_M, FOLLOWED_STEPS),
    _from(_path_know),
    FOLLOWED_STEPS,
)
PLACES = Task(
    "waypoints",
    tuple(f"{which}_{axis}" for which in ("waypoint", "next") for axis in "xyz"),
    ("m",) * 6,
    _places_draw,
    _places_know,
    _places_judge,
    _from(_places_know),
    WAYPOINTS,
    passes=True,
)
RACE = Task(
    "race",
    tuple(f"{which}_{part}" for which in ("gate", "next_gate") for part in GATE),
    ("m", "m", "m", "1", "1") * 2,
    _gates_draw,
    _gates_know,
    _gates_judge,
    _from(_gates_know),
    GATES + 1,
    passes=True,
)
TASKS: dict[str, Task] = {task.name: task for task in (HOVER, TRACK, PLACES, RACE)}
