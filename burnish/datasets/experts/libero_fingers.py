"""What the fingers do, and the short moves around it."""

from __future__ import annotations

import numpy as np

from burnish.datasets.experts import libero_hand as hands
from burnish.datasets.experts.libero_geometry import Pose
from burnish.datasets.experts.libero_motion import CLOSED, OPEN, Aim, Grip, Motion
from burnish.datasets.experts.libero_world import World

RETREAT_M = 0.06
RELEASE_M = 0.02
"""How much the fingers open before the hand leaves."""
CLOSE_STEPS = 14
STILL_M = 0.0004
"""Fingers that move less in a step have closed."""
FINGER_LAG_STEPS = 2.5


def shut() -> float:
    """Closed fingers."""
    return CLOSED


def wide() -> float:
    """Open fingers."""
    return OPEN


def opening(world: World, gap: float) -> Grip:
    """The grip that brings the fingers `gap` apart; they go on for some steps after the last command."""
    if gap > 1.9 * hands.OPEN_M:
        return wide
    last = world.gap

    def grip() -> float:
        nonlocal last
        coming, last = world.gap + FINGER_LAG_STEPS * (world.gap - last), world.gap
        return float(np.sign(coming - gap)) if abs(coming - gap) > 0.006 else 0.0

    return grip


def close(world: World) -> Motion:
    """Close the fingers until they stand still."""
    hand, gap = world.hand, np.inf
    for count in range(CLOSE_STEPS):
        yield Aim(hand, CLOSED)
        if count > 3 and abs(world.gap - gap) < STILL_M:
            return
        gap = world.gap


def release(world: World) -> Motion:
    """Open the fingers a little and leave backwards while they go on opening."""
    hand, enough = world.hand, min(world.gap + RELEASE_M, 1.9 * hands.OPEN_M)
    for _ in range(CLOSE_STEPS):
        if world.gap >= enough:
            break
        yield Aim(hand, OPEN)
    yield from straight(world, Pose(hand.position - RETREAT_M * hand.rotation[:, 2], hand.rotation), wide, 0.02)


def straight(world: World, goal: Pose, grip: Grip, distance: float = 0.01) -> Motion:
    """The shortest way to `goal`, whatever is there."""
    for _ in range(30):
        if np.linalg.norm(world.hand.position - goal.position) < distance:
            return
        yield Aim(goal, grip())
