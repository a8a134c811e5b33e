"""Moving the hand: from a pose to be reached to LIBERO's seven numbers, and a way there over what stands between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from burnish.datasets.experts import libero_hand as hands
from burnish.datasets.experts.libero_geometry import Pose
from burnish.datasets.experts.libero_grid import Grid, spread
from burnish.datasets.experts.libero_world import World
from burnish.sim.libero.osc import MAX_MOVE_M, MAX_TURN_RAD

OPEN, CLOSED = -1.0, 1.0
MARGIN_M = 0.012
"""Kept between the hand and what it passes over."""
STRETCHED_M, LONGEST_M = 0.57, 0.69
"""From shoulder to wrist: where the arm slows down, and where it stops."""
SLOPE = 3.0
"""The hand comes down on its goal inside a funnel: so much higher per metre and per 5 cm x rad that are missing."""
TURN_ARM_M = 0.05
REACHED_M, REACHED_RAD = 0.006, 0.06
LOOSELY_M = 0.015
"""Near enough where there is room."""
STUCK_STEPS, STUCK_M = 12, 0.004
"""A hand that stays within so little for so long is held back by something."""
PATIENCE_STEPS = 90
"""After which a movement is given up; what is left to do is then planned anew."""


class Aim(NamedTuple):
    """Where the hand should go next and what the fingers should do."""

    pose: Pose
    grip: float


Grip = Callable[[], float]
Motion = Iterator[Aim]
"""One aim per control step; the world is read between them."""


def action(world: World, aim: Aim) -> np.ndarray:
    """(7,) LIBERO's action towards `aim`, in [-1, 1]; straight, however far."""
    hand = world.hand
    # What is missing and nothing else: the controller is critically damped, and no observation tells the hand's speed,
    # so that a policy could not imitate an action that depends on it.
    move = (_within_reach(world, aim.pose.position) - hand.position) / MAX_MOVE_M
    turn = Rotation.from_matrix(aim.pose.rotation @ hand.rotation.T).as_rotvec() / MAX_TURN_RAD
    move, turn = (part / max(1.0, float(np.abs(part).max())) for part in (move, turn))
    return np.concatenate([_braked(world, move), turn, [aim.grip]])


def _braked(world: World, move: np.ndarray) -> np.ndarray:
    """`move` (3,), slower outwards with a stretched arm, which swings on and is hard to bring back."""
    shoulder, wrist = world.arm
    length = float(np.linalg.norm(wrist - shoulder))
    outward = (wrist - shoulder) / length
    most = float(np.clip((LONGEST_M - length) / (LONGEST_M - STRETCHED_M), 0.2, 1.0))
    return move - max(float(move @ outward) - most, 0.0) * outward


def _within_reach(world: World, position: np.ndarray) -> np.ndarray:
    """`position`, or the nearest one for which the elbow stays bent: a straight arm gets stuck."""
    shoulder, wrist = world.arm
    arm = wrist + position - world.hand.position - shoulder
    length = float(np.linalg.norm(arm))
    return position - max(length - LONGEST_M, 0.0) / length * arm


def reached(hand: Pose, goal: Pose, beside: float = REACHED_M, short: float | None = None) -> bool:
    """Whether `hand` is at `goal`, up to `beside` m across its forward axis and `short` m (None: as many) along it."""
    missing = goal.rotation.T @ (goal.position - hand.position)
    near = np.linalg.norm(missing[:2]) < beside and abs(missing[2]) < (beside if short is None else short)
    return bool(near) and hands.angle_between(hand.rotation, goal.rotation) < REACHED_RAD


class Route:
    """How high the grip site must be over each column of the grid to pass over what stands there."""

    def __init__(self, grid: Grid, rotation: np.ndarray, below: float, around: np.ndarray) -> None:
        """For a hand with this `rotation`; fingers or a carried thing reach `below` m under the grip site and, along
        x and y, `around` (2,) m to either side."""
        heights = grid.heights
        self._grid = grid
        palm = np.abs(rotation[:2]) @ hands.PALM
        self._needed = np.maximum(spread(heights, around) + below, spread(heights, palm) + hands.PALM_M) + MARGIN_M

    def height(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """(K,) m: needed at points every centimetre from `start` to `end` (2,)."""
        count = max(2, int(np.ceil(np.linalg.norm(end - start) / 0.01)) + 1)
        return self._needed[self._grid.columns(start + np.linspace(0, 1, count)[:, None] * (end - start))]


def travel(
    world: World,
    goal: Callable[[], Pose],
    route: Route,
    grip: Grip,
    funnel: float,
    beside: float = REACHED_M,
    short: float | None = None,
    lost: Callable[[], bool] = lambda: False,
) -> Motion:
    """Up, across and down to `goal()`, which may move. Ends early if what is carried was `lost` or nothing moves.

    The hand comes down within `funnel`, m, of the goal's axis; `beside` and `short`: how near is near enough.
    """
    before: deque[Pose] = deque(maxlen=STUCK_STEPS)
    for _ in range(PATIENCE_STEPS):
        aim, hand = goal(), world.hand
        stuck = len(before) == STUCK_STEPS and reached(hand, before[0], STUCK_M)
        if stuck or lost() or reached(hand, aim, beside, short):
            return
        before.append(hand)
        yield Aim(_waypoint(hand, aim, route, funnel), grip())


def _waypoint(hand: Pose, goal: Pose, route: Route, funnel: float) -> Pose:
    missing = goal.position[:2] - hand.position[:2]
    beside = float(np.linalg.norm(missing)) + TURN_ARM_M * hands.angle_between(hand.rotation, goal.rotation)
    if beside < funnel:
        above = max(SLOPE * (beside - funnel / 2), 0.0)
        return Pose(goal.position + np.array([0, 0, above]), goal.rotation)
    needed = route.height(hand.position[:2], goal.position[:2])
    # Sideways only as far as what comes next has been overcome.
    short = max(needed[:5].max() - hand.position[2], 0.0)
    share = float(np.clip(1.0 - short / 0.03, 0.0, 1.0))
    height = max(needed.max(), goal.position[2])
    return Pose(np.array([*(hand.position[:2] + share * missing), height]), goal.rotation)
