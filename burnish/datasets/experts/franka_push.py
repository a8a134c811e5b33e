"""Pushing a T to its goal: of many places to push at, the one that brings it nearest for the way there.

What a push does is foreseen for slow motion on a table (Goyal, Ruina and Papadopoulos 1991): the turn per way is that
of an ellipsoidal limit surface. Which push is best is asked anew at every step; the way to begin another one makes it
stay with the present one until that has brought what it can.
"""

from __future__ import annotations

import numpy as np

from burnish.datasets.experts.franka_wish import CLOSED, Wish
from burnish.sim.franka.push_t import GOAL, HALF, PARTS, THICK, WIDE

RADIUS = 0.009
"""Of the closed fingers, m."""
ARM = 0.075
"""Of the limit surface, m: the ratio of the largest friction torque to the largest friction force."""
AHEAD = np.array([0.002, 0.004, 0.006, 0.01, 0.015, 0.025, 0.04, 0.06, 0.09])
"""Ways that are foreseen, m."""
WAY, LEAST = 0.03, 0.0003
"""A way of 1 m to the place to push at is worth that much nearness, m; and what no push is worth that brings less."""
GAP, CORRIDOR = 0.012, 0.008
"""Between fingers and T where a push begins, and half the width of the lane in which it goes on, m."""
EASE = 0.5
"""Share of the way still to go that a push asks for: it stops before it has gone too far."""
LOW, HIGH = HALF, 0.085
"""Of the tool, m: while it pushes, and while it passes over the T."""


def _places() -> tuple[np.ndarray, np.ndarray]:
    """(K, 2) points on the T's edge, m, and (K, 2) the directions into it, in the body's frame."""
    (_, bar, _, _), (_, stem, _, long) = PARTS
    top, under, end = bar + THICK / 2, bar - THICK / 2, stem - long / 2
    along = np.linspace(-0.4, 0.4, 9) * WIDE
    wings = along[np.abs(along) > THICK / 2 + RADIUS + 0.01]
    down = np.linspace(end + 0.01, under - RADIUS - 0.01, 6)
    across = np.linspace(bar - 0.01, bar + 0.01, 3)
    edges = [
        [(x, top, 0, -1) for x in along],
        [(x, under, 0, 1) for x in wings],
        [(x, end, 0, 1) for x in (-0.01, 0, 0.01)],
        [(side * THICK / 2, y, -side, 0) for side in (-1, 1) for y in down],
        [(side * WIDE / 2, y, -side, 0) for side in (-1, 1) for y in across],
    ]
    table = np.array([row for edge in edges for row in edge])
    return table[:, :2], table[:, 2:]


PLACES, INTO = _places()
CORNERS = np.array([(x, PARTS[0][1]) for x in (-WIDE / 2, 0, WIDE / 2)] + [(0, PARTS[1][1] - PARTS[1][3] / 2)])
"""Points of the T by whose ways its distance from the goal is measured."""
_TURN = (PLACES[:, 0] * INTO[:, 1] - PLACES[:, 1] * INTO[:, 0]) / ARM**2
"""rad of turn per m the middle moves."""
_SHARE = 1 / (1 + (_TURN * ARM) ** 2)
"""m the middle moves per m of the pushed point."""


def push(state: np.ndarray, know: np.ndarray) -> Wish:
    """Over the place to push at, down beside the T, and on."""
    lanes, tool = len(know), know[:, 9:12]
    yaw = np.arctan2(know[:, 4], know[:, 3])
    turn = _rotations(yaw)
    points = np.einsum("kj,nij->nki", PLACES, turn) + know[:, None, :2]
    into = np.einsum("kj,nij->nki", INTO, turn)
    begin = points - into * (RADIUS + GAP)
    behind, aside = _along(tool[:, None, :2] - points, into)
    lane = (behind < 0) & (behind > -RADIUS - 2 * GAP) & (np.abs(aside) < CORRIDOR)
    ready = lane & (tool[:, None, 2] < 1.7 * LOW)
    far = np.where(ready, 0, np.linalg.norm(tool[:, None, :2] - begin, axis=2) + HIGH)
    worth, way = _foreseen(know[:, :2], yaw, into)
    one = np.arange(lanes), np.where(worth > LEAST, worth - WAY * far, worth - 1).argmax(axis=1)
    on = points[one] + into[one] * (EASE * way[one] - RADIUS)[:, None]
    pushed = np.concatenate([on, np.full((lanes, 1), LOW)], axis=1)
    moved = _over(tool, begin[one], _gap(tool[:, :2], know[:, :2], turn))
    wish = np.where(ready[one][:, None], pushed, moved)
    return wish, np.broadcast_to([0.0, 1.0], (lanes, 2)), np.full(lanes, CLOSED)


def _over(tool: np.ndarray, begin: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """(n, 3) on the way of the tool to `begin` (n, 2): back from the T that is `gap` (n, 2) away, up, over it, down."""
    wide, away = np.linalg.norm(gap, axis=1), np.linalg.norm(tool[:, :2] - begin, axis=1)
    height = LOW + np.clip(4 * (away - CORRIDOR / 2), 0, HIGH - LOW)
    touching = (wide < RADIUS + GAP / 2) & (tool[:, 2] < 3 * HALF)
    back = tool[:, :2] + GAP * gap / np.maximum(wide, 1e-6)[:, None]
    up = (away > 2 * CORRIDOR) & (tool[:, 2] < HIGH - 0.02)
    flat = np.where(touching[:, None], back, np.where(up[:, None], tool[:, :2], begin))
    return np.column_stack([flat, np.where(touching & (tool[:, 2] < 1.5 * LOW), LOW, height)])


def _foreseen(middle: np.ndarray, yaw: np.ndarray, into: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, K) by how much the best way of each push brings the T nearer, m, and that way, m."""
    goal = CORNERS @ _rotations(np.array(GOAL[2])).T + GOAL[:2]
    ways = _SHARE[:, None] * AHEAD  # (K, L)
    turned = yaw[:, None, None] + _TURN[:, None] * ways
    moved = middle[:, None, None] + into[:, :, None] * ways[..., None]
    placed = np.einsum("cj,nklij->nklci", CORNERS, _rotations(turned)) + moved[..., None, :]
    now = np.einsum("cj,nij->nci", CORNERS, _rotations(yaw)) + middle[:, None]
    gain = _distance(now, goal)[:, None, None] - _distance(placed, goal)
    best = gain.argmax(axis=2)
    return np.take_along_axis(gain, best[..., None], axis=2)[..., 0], AHEAD[best]


def _gap(tool: np.ndarray, middle: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(n, 2) from the nearest point of each T to the tool (n, 2), m."""
    local = np.einsum("nj,nji->ni", tool - middle, turn)
    parts = [local - np.clip(local, (x - sx / 2, y - sy / 2), (x + sx / 2, y + sy / 2)) for x, y, sx, sy in PARTS]
    nearer = np.linalg.norm(parts[0], axis=1) < np.linalg.norm(parts[1], axis=1)
    return np.einsum("nij,nj->ni", turn, np.where(nearer[:, None], parts[0], parts[1]))


def _distance(points: np.ndarray, goal: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points - goal, axis=-1).mean(axis=-1)


def _along(offset: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far `offset` goes along `direction`, and how far to its left."""
    along = (offset * direction).sum(axis=-1)
    return along, offset[..., 1] * direction[..., 0] - offset[..., 0] * direction[..., 1]


def _rotations(yaw: np.ndarray) -> np.ndarray:
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)
