"""What the scripted experts of the Franka world want: where the tool should be, how it is turned, how wide it opens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from burnish.datasets.experts.franka_push import push
from burnish.datasets.experts.franka_wish import CLOSED, OPEN, Wish
from burnish.sim.franka.peg_insert import DEEP, INSIDE, PLAY, SIDE, TALL

HOVER, GRASP_M = 0.1, 0.008
CLOSING_M, EMPTY_M = 0.014, 0.036
"""Once the fingers have begun to close, the cube may be so far from between them; narrower than that, it is not."""
ABOVE = 0.03
"""The peg's foot passes the block so high above it, m."""
OVER = 0.0015
"""From the hole's axis the peg may be that far away when it is lowered into it, m."""
STEEP = 10.0
"""How far above the block the foot stays for every m more."""
HIGHEST = 0.03
"""Above its middle the peg is grasped, m: the fingers stay clear of the block."""


def reach(state: np.ndarray, know: np.ndarray) -> Wish:
    """There."""
    lanes = len(know)
    return know[:, :3], np.broadcast_to([0.0, 1.0], (lanes, 2)), np.full(lanes, OPEN)


def lift(state: np.ndarray, know: np.ndarray) -> Wish:
    """Above the cube, down, close, up."""
    cube, tool, width = know[:, :3], know[:, 9:12], state[:, 14]
    aside = np.linalg.norm(cube[:, :2] - tool[:, :2], axis=1)
    above = np.abs(cube[:, 2] - tool[:, 2])
    # One threshold alone would have the hand, which finishes every motion, open and close at it by turns.
    closing = (width < OPEN - GRASP_M) & (width > EMPTY_M) & (aside < CLOSING_M) & (above < CLOSING_M)
    there = (aside < GRASP_M) & (above < GRASP_M) | closing
    held = there & (width < 0.043)
    wish = cube.copy()
    wish[:, 2] += np.clip(4 * (aside - 0.008), 0, HOVER)
    wish[:, 2] = np.where(held, cube[:, 2] + 0.1, wish[:, 2])
    return wish, _faces(know[:, 3:9]), np.where(there, CLOSED, OPEN)


def insert(state: np.ndarray, know: np.ndarray) -> Wish:
    """Above the peg, down, close, up, above the hole, down."""
    peg, tool, hole, width = know[:, :3], know[:, 9:12], know[:, 12:15], state[:, 14]
    grasp = peg + np.array([0, 0, HIGHEST])
    aside = np.linalg.norm((grasp - tool)[:, :2], axis=1)
    there = (aside < GRASP_M) & (np.abs(grasp[:, 2] - tool[:, 2]) < GRASP_M)
    held = there & (width < SIDE + 0.003)
    away = np.linalg.norm((hole - peg)[:, :2], axis=1)
    askew = np.abs(np.sin(2 * (_angle(know[:, 3:5]) - _angle(know[:, 15:17]))))  # a square looks the same four times
    foot = peg[:, 2] - TALL / 2
    above = np.clip(STEEP * (away + SIDE / 4 * askew - OVER), -INSIDE, ABOVE)
    goal = np.concatenate([hole[:, :2], (DEEP + TALL / 2 + above)[:, None]], axis=1)
    entered = (foot < DEEP - INSIDE / 2) & (away < 3 * PLAY)
    goal[entered, 2] = TALL / 2 - INSIDE
    up = (foot < DEEP + ABOVE / 2) & (away > 0.02)
    goal[up, :2] = peg[up, :2]
    approach = grasp.copy()
    approach[:, 2] += np.clip(4 * (aside - 0.008), 0, HOVER)
    wish = np.where(held[:, None], tool + goal - peg, approach)
    ready = held & ~up
    axis = np.where(ready[:, None], _nearest(know[:, 15:17]), _faces(know[:, 3:9]))
    return wish, axis, np.where(there, CLOSED, OPEN)


def _angle(axis: np.ndarray) -> np.ndarray:
    return np.arctan2(axis[:, 1], axis[:, 0])


def _faces(axes: np.ndarray) -> np.ndarray:
    """(n, 2) of the four horizontal normals of a cube's faces, the one nearest to y: the hand turns least."""
    first, second = axes[:, 0:2], axes[:, 3:5]
    found = np.where((np.abs(first[:, 1]) > np.abs(second[:, 1]))[:, None], first, second)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def _nearest(axis: np.ndarray) -> np.ndarray:
    """(n, 2) of a square's four normals, one of which is `axis` (n, 2), the one nearest to y."""
    return np.where((np.abs(axis[:, 1]) > np.abs(axis[:, 0]))[:, None], axis, axis[:, ::-1] * [-1, 1])


SCRIPTS: dict[str, Callable[[np.ndarray, np.ndarray], Wish]] = {
    "reach": reach,
    "lift": lift,
    "push-t": push,
    "peg-insert": insert,
}
