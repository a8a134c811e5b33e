"""Where to put a thing down: poses at which it rests inside or on its target, and the hand can let go of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from burnish.datasets.experts import libero_hand as hands
from burnish.datasets.experts.libero_exits import CLEAR_M, way_out
from burnish.datasets.experts.libero_geometry import Pose, thinned
from burnish.datasets.experts.libero_grid import CELL_M, Grid, spread
from burnish.datasets.experts.libero_world import World

TURNS = np.radians([0, 90, -90, 45, -45])
STEP_M = 0.01
EDGE_M = 0.015
"""Kept to the edge of a region."""
LOW_M = np.array([0.0, 0.0, 0.008])
"""LIBERO takes a thing for inside a region even if its origin is a centimetre lower."""
SHARED_M = 0.05
"""From the middle of a region that several things are to stand on."""
ROOM_M = 0.01
"""Wanted around a thing that is put down."""
DROP_M = 0.004
"""Let go so far above where it would rest."""
ROOF_M = 0.01
ENOUGH = 30
"""Places to choose from."""
STUCK_COST = 10.0
"""Of a hand that meets the roof or a wall before the thing is in its place."""


class Place(NamedTuple):
    """The thing's `pose` in the world when the hand lets go, the `way` (2,) m out from under a roof, and the `cost`."""

    pose: Pose
    way: np.ndarray
    cost: float

    @property
    def entry(self) -> Pose:
        """Where the thing comes down before it moves to its place."""
        return (
            Pose(self.pose.position + np.array([*self.way, CLEAR_M]), self.pose.rotation)
            if self.way.any()
            else self.pose
        )


def find_places(world: World, name: str, predicate: Sequence[str], grid: Grid) -> list[Place]:
    """Poses for `name` that make `predicate` ("in" or "on") true, cheapest first.

    The thing keeps its tilt; it is moved and turned about the vertical. `grid`: everything solid but the thing.
    """
    here, target = world.body(name), world.spot(predicate[2])
    local = thinned(here.inverse().points(world.cloud(name)))
    extent = _extent(world, predicate[2])
    # What is over the middle of a region is a roof: one comes in from the side.
    heights = grid.heights_below(float(target.position[2]) + ROOF_M) if extent.any() else grid.heights
    roomy = spread(heights, np.full(2, ROOM_M))
    found = []
    # Where several things are to stand, none takes the middle.
    others = [goal for goal in world.goals if len(goal) == 3 and goal[0] == "on" and goal[2] == predicate[2]]
    best = SHARED_M if extent.any() and len(others) > 1 else 0.0
    for turn in TURNS:
        rotation = hands.about_z(turn) @ here.rotation
        cloud = local @ rotation.T
        for offset in _offsets(np.maximum(extent[:2] - EDGE_M, 0.0)):
            position = np.array([*(target.position[:2] + offset), 0.0])
            z, level = _rest(cloud, position, heights, grid)
            tight = _rest(cloud, position, roomy, grid)[0] - z
            pose = Pose(np.array([*position[:2], z + DROP_M]), rotation)
            far = 4.0 * abs(float(np.linalg.norm(offset)) - best) + 6.0 * (z - grid.floor)
            cost = far + 0.5 * abs(turn) + 8.0 * level + 4.0 * tight
            outside = predicate[0] == "in" and not (np.abs(pose.position - target.position) < extent + LOW_M).all()
            found.append(Place(pose, np.zeros(2), float(cost) + 5.0 * outside))
    found = sorted(found, key=lambda place: place.cost)[:ENOUGH]
    return sorted((_with_way(place, local, grid) for place in found), key=lambda place: place.cost)


def _with_way(place: Place, local: np.ndarray, grid: Grid) -> Place:
    way = way_out(grid, place.pose.points(local))
    if way is None:
        return place._replace(cost=place.cost + 10.0)
    return place._replace(way=way, cost=place.cost + 3.0 * float(np.linalg.norm(way)))


def with_hand(
    places: list[Place], hand_in_thing: Pose, gap: float, grid: Grid, shoulder: np.ndarray, inside: Grid | None = None
) -> list[Place]:
    """`places` for a hand that holds the thing so, cheapest first: where it hits something or strains costs more.

    Args:
        inside: `grid` with filled solids, for places under a roof: there the hand must not touch anything.
    """
    poses = [place.pose @ hand_in_thing for place in places]
    entries = [place.entry @ hand_in_thing for place in places]
    hits = 20.0 * hands.blocked(grid, entries, gap, hands.COARSE_M)
    if inside is None:
        hits += 20.0 * hands.touching(grid, poses, gap, hands.COARSE_M)
    else:
        hits += STUCK_COST * _stuck(inside, poses, gap)
    costs = [float(hit) + hands.strain(shoulder, pose) for hit, pose in zip(hits, poses, strict=True)]
    dearer = [place._replace(cost=place.cost + cost) for place, cost in zip(places, costs, strict=True)]
    return sorted(dearer, key=lambda place: place.cost)


def _stuck(inside: Grid, poses: list[Pose], gap: float) -> np.ndarray:
    """(N,) bool: whether the hand touches anything at each of `poses`."""
    found = hands.touching(inside, poses, gap, hands.COARSE_M) > 0
    # Few points rule most of them out.
    if left := np.flatnonzero(~found).tolist():
        found[left] = hands.touching(inside, [poses[index] for index in left], gap) > 0
    return found


def _extent(world: World, target: str) -> np.ndarray:
    """(3,) m: half the size of a region, zero for an object."""
    site = world.here.site(target)
    return np.zeros(3) if site is None else np.abs(world.spot(target).rotation @ world.model.site_size[site])


def _offsets(reach: np.ndarray) -> np.ndarray:
    lines = [np.linspace(-r, r, 2 * int(r / (2 * STEP_M)) + 1) if r >= 2 * STEP_M else np.zeros(1) for r in reach]
    return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)


def _rest(cloud: np.ndarray, position: np.ndarray, heights: np.ndarray, grid: Grid) -> tuple[float, float]:
    """Height of the origin at which `cloud` (P, 3), lowered at `position`, first touches something; and how uneven
    the ground under its bottom is, m."""
    tops = heights[grid.columns(cloud + position)]
    z = float((tops - cloud[:, 2]).max())
    bottom = cloud[:, 2] < cloud[:, 2].min() + 2 * CELL_M
    return z, float(z + cloud[bottom, 2].min() - np.median(tops[bottom]))
