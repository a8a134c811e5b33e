"""What is asked of a legged robot, and how good a moment is. Every function takes N lanes at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from burnish import gait
from burnish.ranges import Ranges
from burnish.sim.about import known_task
from burnish.tracking import Reference
from burnish.unitree import G1, GO2, Model

REACH = {
    GO2.name: (0.3, 0.5, 0.65) * 4,
    G1.name: (0.6, 0.3, 0.3, 0.6, 0.6, 0.3) * 2 + (1.0, 0.5, 0.5) + (2.0,) * 14,
}
"""rad, of a task that says nothing else. A Go2's leg that carries half of the body gives way by 6 cm under the gains of
a policy, so it needs as much to lift a foot."""
STRIDES = (0.8, 0.7, 0.4, 1.0, 0.8, 0.5) * 2 + REACH[G1.name][12:]
"""Of a G1 that carries itself on one leg and lifts the other."""
STILL_SHARE = 0.15
"""Of episodes in which a robot that learns to walk is to stand."""
LIFT_M = 0.05
"""How high a foot is to swing."""
VELOCITY_ERROR = 0.25
"""Mean difference to the velocity asked for in the floor's plane, m/s; mjlab's own tasks are judged alike."""
JOINT_ERROR = 0.05
"""Mean distance of a joint from where the clip has it, rad."""


class Moment(NamedTuple):
    """Of N lanes.

    Attributes:
        told: (N, K) what they are asked for.
        velocity: (N, 3) of the body along its heading, to its left and up, m/s.
        pace: (N, 2) of `velocity` along and to the left, a mean over the task's `sways_s`.
        turning: (N, 3) angular velocity in the body's frame, rad/s.
        gravity: (N, 3) its direction in the body's frame.
        above: (N,) the body's height beside standing, m.
        feet: (N, F) how high they are above the floor, m.
        change: (N, A) of the action, from the last one, rad.
        joints, speeds: (N, A) rad, rad/s.
    """

    told: Tensor
    velocity: Tensor
    pace: Tensor
    turning: Tensor
    gravity: Tensor
    above: Tensor
    feet: Tensor
    change: Tensor
    joints: Tensor
    speeds: Tensor


Term = tuple[float, Callable[[Moment], Tensor]]


@dataclass(frozen=True)
class Task:
    """One task of one robot.

    Attributes:
        units: of what the robot is told, by name, and
        ranges: between which these numbers are.
        frame: in which they are.
        velocities: what is asked for, by the names of `burnish.gait.VELOCITY`.
        tell: (N, K) of a velocity (N, 3) asked for and the time (N,) of a clock, s.
        error: (N,) how far from what is asked for.
        most: its mean over an episode that is solved.
        terms: of the reward with their weights, which sum up to 1.
        push: m/s, by which the robot is pushed unless `Randomization` says otherwise.
        start: rad, standard deviation of its joints about standing at first; of its speeds twice that per s.
        begins: the clock's time at which an episode begins, at the latest, s.
        sways_s: over which a gait's own swaying is no error, s.
        reach: rad, how far from standing an action may ask each joint, and never beyond its range.
    """

    model: Model
    units: Mapping[str, str]
    ranges: Ranges
    frame: str
    velocities: Ranges
    tell: Callable[[np.ndarray, np.ndarray], np.ndarray]
    error: Callable[[Moment], Tensor]
    most: float
    terms: tuple[Term, ...]
    push: float
    start: float
    begins: float
    reach: tuple[float, ...]
    sways_s: float = 0.0

    def draw(self, lanes: int) -> Tensor:
        """(lanes, 3) velocities to ask for."""
        low, high = torch.tensor(list(self.velocities.values()), dtype=torch.float64).T
        asked = low + torch.rand(lanes, 3, dtype=torch.float64) * (high - low)
        return asked * (torch.rand(lanes, 1) >= STILL_SHARE)

    def reward(self, moment: Moment) -> Tensor:
        """(N,) between 0 and 1."""
        return sum((weight * term(moment) for weight, term in self.terms), torch.zeros_like(moment.above))


def near(away: Tensor, scale: float) -> Tensor:
    """1 where `away` (N, K) is nothing, falling to 0 over some `scale`.

    It is to be about as wide as what is found from standing, or nothing would lead there.
    """
    return torch.exp(-(away / scale).square().sum(1))


def due(told: Tensor) -> Tensor:
    """(N, 4) m: how high FR, FL, RR and RL are to be, when diagonal pairs swing in turn (a trot)."""
    clock = told[:, gait.NAMES.index("clock_sin")]
    one, other = clock.clamp(min=0), (-clock).clamp(min=0)
    return LIFT_M * torch.stack([one, other, other, one], dim=1)


STEADY: tuple[Term, ...] = (
    (0.10, lambda now: near(now.gravity[:, :2], 0.2)),
    (0.05, lambda now: near(now.above[:, None], 0.05)),
    (0.04, lambda now: near(torch.cat([now.velocity[:, 2:], now.turning[:, :2] / 3], dim=1), 0.4)),
    (0.03, lambda now: near(now.change, 0.5)),
    (0.03, lambda now: near(now.speeds, 15.0)),
)
"""The body is level and at its height, and does not shake."""
FOLLOWING: tuple[Term, ...] = (
    (0.35, lambda now: near(now.velocity[:, :2] - now.told[:, :2], 0.4)),
    (0.15, lambda now: near(now.turning[:, 2:] - now.told[:, 2:3], 0.5)),
)
"""It moves as asked."""
TROTTING: tuple[Term, ...] = (
    (0.25, lambda now: torch.exp(-(((now.feet - due(now.told)) / 0.04) ** 2)).mean(1)),
)  # fmt: skip
POSED: tuple[Term, ...] = ((0.25, lambda now: near(now.joints - torch.tensor(G1.path[-1]), 1.0)),)

STANDING: Ranges = {"velocity_x": (0.0, 0.0), "velocity_y": (0.0, 0.0), "yaw_rate": (0.0, 0.0)}
WALKING: Ranges = {"velocity_x": (-0.3, 0.8), "velocity_y": (-0.2, 0.2), "yaw_rate": (-0.5, 0.5)}
SLOWLY: Ranges = {"velocity_x": (0.0, 0.3), "velocity_y": (0.0, 0.0), "yaw_rate": (-0.1, 0.1)}
GENTLY = {"push": 0.15, "start": 0.02}
"""What feet of 17 cm can balance without a step."""

STEPPING = {"begins": 0.0, "reach": STRIDES, "sways_s": 1 / G1.steps_hz, "most": 0.15}
"""Of a body that sways from foot to foot, and is slow enough that 0.25 m/s would be no bar."""


def follow(model: Model, velocities: Ranges, gaits: tuple[Term, ...], **settings: Any) -> Task:
    """Move as asked, or stand where that is nothing; `settings`: other fields of `Task`."""
    return Task(
        model=model,
        units=gait.UNITS,
        ranges={name: velocities.get(name, (-1.0, 1.0)) for name in gait.NAMES},
        frame="body",
        velocities=velocities,
        tell=partial(gait.told, steps_hz=model.steps_hz),
        error=lambda now: torch.linalg.norm(now.pace - now.told[:, :2], dim=1),
        terms=(*FOLLOWING, *gaits, *STEADY),
        **{"most": VELOCITY_ERROR, "push": 0.3, "start": 0.1, "begins": 1.0, "reach": REACH[model.name], **settings},
    )


def track(model: Model, clip: str) -> Task:
    """The joints that `model` has for it do as `clip` does, a name or a file, while the others balance."""
    reference = Reference(model, clip)
    places, size = [model.joints.index(joint) for joint in model.follows], len(model.follows)

    def away(now: Moment) -> Tensor:
        return now.joints[:, places] - now.told[:, :size]

    return Task(
        model=model,
        units=reference.units,
        ranges=reference.ranges,
        frame="joint",
        velocities=STANDING,
        tell=lambda _, seconds: reference.told(seconds),
        error=lambda now: away(now).abs().mean(1),
        most=JOINT_ERROR,
        terms=((0.75, lambda now: near(away(now), 0.5)), *STEADY),
        **GENTLY,
        begins=0.0,
        reach=REACH[model.name],
    )


def walk_and_track(clip: str) -> Task:
    """A G1 walks as asked while its waist and arms do as `clip` does; it is told the one, and then the other. An error
    is the worse one, as a share of what it may be."""
    walks, tracks = follow(G1, SLOWLY, POSED, **GENTLY, **STEPPING), track(G1, clip)
    first = len(walks.units)

    def tracked(now: Moment) -> Moment:
        return now._replace(told=now.told[:, first:])

    return replace(
        walks,
        units={**walks.units, **tracks.units},
        ranges={**walks.ranges, **tracks.ranges},
        tell=lambda asked, seconds: np.concatenate([walks.tell(asked, seconds), tracks.tell(asked, seconds)], axis=-1),
        error=lambda now: torch.maximum(walks.error(now) / walks.most, tracks.error(tracked(now)) / tracks.most),
        most=1.0,
        terms=(*FOLLOWING, (0.25, lambda now: tracks.terms[0][1](tracked(now))), *STEADY),
    )


TASKS: dict[str, Callable[[], Task]] = {
    "stand": lambda: follow(GO2, STANDING, TROTTING),
    "velocity": lambda: follow(GO2, WALKING, TROTTING),
    "g1-stand": lambda: follow(G1, STANDING, POSED, **GENTLY),
    "g1-walk": lambda: follow(G1, SLOWLY, POSED, **GENTLY, **STEPPING),
    "g1-track": lambda: track(G1, "greet"),
    "g1-walk-track": lambda: walk_and_track("greet"),
}
TRACKS: dict[str, Callable[[str], Task]] = {"g1-track": partial(track, G1), "g1-walk-track": walk_and_track}
"""Those whose name may end in a colon and a clip."""


def task(name: str) -> Task:
    """By its name. Raises `UnknownNameError` with the closest match, `BurnishError` for a clip that cannot be."""
    kind, _, clip = name.partition(":")
    if clip and kind in TRACKS:
        return TRACKS[kind](clip)
    known_task("unitree", name, TASKS)
    return TASKS[name]()
