"""Where to grasp a thing: two-finger grasps computed from its solid points, free of whatever stands around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import batched, islice, product
from typing import NamedTuple

import numpy as np

from burnish.datasets.experts import libero_hand as hands
from burnish.datasets.experts.libero_geometry import Pose, thinned
from burnish.datasets.experts.libero_grid import Grid

ANGLES = np.radians(np.arange(-90, 90, 15))
GAPS = ((0.08, 0.0), (0.045, 2.5))
"""How far open the hand comes, m, and what it costs: half open only where nothing else will do, for no action but
exactly 0 keeps the fingers there, which is hard to imitate."""
ASIDE_M, ASIDE_COST = (0.0, 0.01, -0.01, 0.02, -0.02), 30.0
"""How far beside the thing's middle the open hand may come, which one finger then draws to the other, and what each
metre of it costs."""
WIDEST_M = 0.070
"""Of what fits between the fingers: 1 cm less than they open."""
APART_M = 0.008
"""Points along the closing direction that are farther apart belong to different walls."""
STRIDE_M = 0.01
"""Between the places tried."""
DEEPEST_M = 0.036
"""How far a thing can reach into the open hand from the tips to the palm."""

ENOUGH = 4
"""Grasps kept per rotation of the hand."""
GRAZING = 0.02
"""Share of the hand that may touch something where it fits nowhere."""
BATCH = 25
SCRAPE_COST = 2.0
TURNS_BACK_COST = 0.3
"""Of the two ways to hold a round thing, mirror images of each other, always the same one."""


class Grasp(NamedTuple):
    """A hand `pose` in the world, the `width` between its closed fingers and the `gap` to come with, m, how far its
    middle is `aside` of the thing's, m, and its `cost`."""

    pose: Pose
    width: float
    gap: float
    aside: float
    cost: float

    @property
    def clearance(self) -> float:
        """How far from its pose the open hand may come down, m."""
        return (self.gap - self.width) / 2 - self.aside


def find_grasps(
    cloud: np.ndarray,
    grid: Grid,
    others: Grid,
    hand: Pose,
    shoulder: np.ndarray,
    rotations: Sequence[np.ndarray] | None = None,
    enough: int = ENOUGH,
) -> list[Grasp]:
    """Grasps of the thing with solid points `cloud` (P, 3), cheapest first; none if the hand fits nowhere.

    Args:
        grid, others: everything solid, with and without the thing itself.
        hand: where the hand is; grasps that turn it less are cheaper.
        rotations: of the hand, to choose from; by default it points down.
        enough: most grasps of one rotation.
    """
    rotations = [hands.turned(angle) for angle in ANGLES] if rotations is None else rotations
    cloud = thinned(cloud)
    middle = (cloud.min(axis=0) + cloud.max(axis=0)) / 2
    size = max(np.ptp(cloud, axis=0).max(), 0.05)
    found: list[Grasp] = []
    for rotation in rotations:
        rotation = _nearer(rotation, hand.rotation)
        turn = hands.angle_between(rotation, hand.rotation)
        awkward = 0.25 * turn + TURNS_BACK_COST * (hands.yaw_between(hand.rotation, rotation) < 0)
        mine = []
        for position, width, taper, cover, room in _between(cloud @ rotation):
            pose = Pose(rotation @ position, rotation)
            # Off the middle the thing turns in the grip; a thick wall is not held along its normal; little cover and
            # sides that are not parallel slip.
            beside = rotation.T @ (pose.position - middle)
            offset, shallow = np.linalg.norm(beside[:2]) / size, max(-beside[2], 0.0)
            cost = 3.0 * offset + 25.0 * width + 10.0 * shallow + awkward + 1.0 * (1 - cover) + 40.0 * taper
            cost += hands.strain(shoulder, pose)
            for (gap, more), aside in product(GAPS, ASIDE_M):
                if width + 2 * abs(aside) < gap - 0.01 and room > gap / 2 + abs(aside):
                    shifted = Pose(pose.position + aside * rotation[:, 0], rotation)
                    dearer = float(cost) + more + ASIDE_COST * abs(aside)
                    mine.append(Grasp(shifted, width, gap, abs(aside), dearer))
        mine.sort(key=lambda grasp: grasp.cost)
        found += list(islice(_free(mine, grid, others, 0.0), enough)) or _grazing(mine, grid, others)
    return sorted(found, key=lambda grasp: grasp.cost)


def _nearer(rotation: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The hand is symmetric: of the two ways to close along the same line, the one that turns it less."""
    other = rotation * [-1, -1, 1]
    return min(rotation, other, key=lambda one: hands.angle_between(one, present))


def _between(points: np.ndarray) -> Iterator[tuple[np.ndarray, float, float, float, float]]:
    """Positions (3,) of the grip site that put something between the pads: its width, how much that differs between
    their tips and their roots, how much of them touches it, and how far the next wall is from its middle. `points`
    (P, 3) are, like the positions, in the hand's axes."""
    low, high = points.min(axis=0), points.max(axis=0)
    # The nearest end of the thing is where the fingers come from; they reach at most `DEEPEST_M` past it.
    for y in _steps(low[1] + 0.004, high[1] - 0.004):
        row = points[np.abs(points[:, 1] - y) < hands.PAD[1, 1]]
        if not len(row):
            continue
        top = row[:, 2].min()
        for z in _steps(top + 0.004, min(top + DEEPEST_M, row[:, 2].max() - 0.002)):
            slab = row[(row[:, 2] > z + hands.PAD[0, 0]) & (row[:, 2] < z + hands.PAD[0, 1])]
            for run, room in _runs(slab):
                width = float(np.ptp(run[:, 0]))
                cover = np.ptp(run[:, 1]) * np.ptp(run[:, 2]) / np.prod(np.ptp(hands.PAD, axis=1))
                middle = (run[:, 0].min() + run[:, 0].max()) / 2
                yield np.array([middle, y, z]), width, _taper(run, z), min(float(cover), 1.0), room


def _taper(points: np.ndarray, z: float) -> float:
    """How much the width (m, along x) of `points` (P, 3) differs between the two halves of the pads at `z`."""
    deep = points[:, 2] > z + hands.PAD[0].mean()
    return abs(float(np.ptp(points[deep, 0]) - np.ptp(points[~deep, 0]))) if 0 < deep.sum() < len(deep) else 0.0


def _steps(low: float, high: float) -> np.ndarray:
    if high <= low:
        return np.array([(low + high) / 2])
    return np.linspace(low, high, int(np.ceil((high - low) / STRIDE_M)) + 1)


def _runs(points: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """What fits between the fingers: one wall, or several with nothing but air between them, and how far from its
    middle the next wall is, m."""
    if not len(points):
        return
    points = points[points[:, 0].argsort()]
    x = points[:, 0]
    gaps = np.flatnonzero(np.diff(x) > APART_M) + 1
    firsts, ends = [0, *gaps.tolist()], [*gaps.tolist(), len(x)]
    for first in firsts:
        for end in ends:
            if end > first and x[end - 1] - x[first] <= WIDEST_M:
                middle = (x[first] + x[end - 1]) / 2
                before = middle - x[first - 1] if first else np.inf
                after = x[end] - middle if end < len(x) else np.inf
                yield points[first:end], float(min(before, after))


def _grazing(grasps: Sequence[Grasp], grid: Grid, others: Grid) -> list[Grasp]:
    """The best one that only just touches something."""
    found = islice(_free(grasps, grid, others, GRAZING), 1)
    return [grasp._replace(cost=grasp.cost + SCRAPE_COST) for grasp in found]


def _free(grasps: Sequence[Grasp], grid: Grid, others: Grid, grazing: float) -> Iterator[Grasp]:
    """Where the open hand fits but for a share `grazing` of it, with nothing but the thing between its fingers."""
    for batch in batched(grasps, BATCH):
        for gap, _ in GAPS:
            # Few points rule most of them out.
            rest = _unblocked([grasp for grasp in batch if grasp.gap == gap], grid, grazing, hands.COARSE_M)
            rest = _unblocked(rest, grid, grazing, hands.FINE_M)
            if rest:
                between = hands.placed([grasp.pose for grasp in rest], hands.between_points(gap))
                clear = np.flatnonzero(~others.hits(between).any(axis=1))
                yield from (rest[index] for index in clear)


def _unblocked(grasps: list[Grasp], grid: Grid, grazing: float, spacing: float) -> list[Grasp]:
    """Those of `grasps`, all with one gap, whose hand, as points `spacing` m apart, fits but for a share `grazing`."""
    if not grasps:
        return []
    blocked = hands.blocked(grid, [grasp.pose for grasp in grasps], grasps[0].gap, spacing) > grazing
    return [grasp for grasp, bad in zip(grasps, blocked, strict=True) if not bad]
