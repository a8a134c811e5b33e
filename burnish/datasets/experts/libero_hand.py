"""The Panda's hand as points in the frame of its grip site: x is the closing direction, z points forward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from burnish.datasets.experts.libero_geometry import Pose, box_shell
from burnish.datasets.experts.libero_grid import CELL_M, Grid

OPEN_M = 0.04
"""Distance of an open finger from the middle."""
TIP_M, PALM_M = 0.0092, -0.031
"""How far the finger tips and the palm are in front of the grip site."""
PAD = np.array([[-0.0116, 0.0044], [-0.008, 0.008]])
"""Where the fingers grip: range of z and of y, m."""
PALM = np.array([0.105, 0.032, 0.0])
FINGERS = np.array([0.066, 0.0105, 0.0])
"""Half extents of the palm and of open fingers, m."""
REACH_M = 0.66
"""From the robot's shoulder to the grip site, seen from above; farther out a hand that points down stretches the arm
until it is stuck."""
DOWN = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""Rotation of a hand that points down and closes along the world's y, as at the start of an episode."""
UPRIGHT = -0.95
"""A hand whose forward axis has less height than this points down."""
FINE_M, COARSE_M = 0.006, 0.012
"""Between the points that stand for the hand."""


def turned(angle: float) -> np.ndarray:
    """(3, 3) a hand that points down, turned about the vertical by `angle`, rad."""
    return about_z(angle) @ DOWN


def about_z(angle: float) -> np.ndarray:
    """(3, 3) rotation about the vertical, rad."""
    return Rotation.from_rotvec([0.0, 0.0, angle]).as_matrix()


def angle_between(one: np.ndarray, other: np.ndarray) -> float:
    """Rad between two rotation matrices (3, 3)."""
    return float(np.arccos(np.clip((np.trace(one.T @ other) - 1) / 2, -1, 1)))


def yaw_between(one: np.ndarray, other: np.ndarray) -> float:
    """Rad about the world's vertical from rotation `one` to `other` (3, 3)."""
    return float(Rotation.from_matrix(other @ one.T).as_rotvec()[2])


@cache
def hand_points(gap: float, spacing: float = FINE_M) -> np.ndarray:
    """(P, 3) points of fingers `gap` apart, palm and wrist."""
    inner = gap / 2
    finger = [
        ([inner, -0.0105, -0.030], [inner + 0.0255, 0.0105, -0.015]),
        ([inner, -0.0098, -0.015], [inner + 0.0205, 0.0098, -0.002]),
        ([inner, -0.0092, -0.002], [inner + 0.017, 0.0092, TIP_M]),
    ]
    palm = [([-0.1, -0.025, -0.12], [0.1, 0.025, PALM_M])]
    wrist = [([-0.055, -0.055, -0.25], [0.055, 0.055, -0.12])]
    one = np.concatenate([box_shell(np.array(low), np.array(high), spacing) for low, high in finger])
    rest = [box_shell(np.array(low), np.array(high), 2 * spacing) for low, high in palm + wrist]
    return np.concatenate([one, one * [-1, 1, 1], *rest])


@cache
def between_points(gap: float) -> np.ndarray:
    """(P, 3) points of the space that fingers `gap` apart close over."""
    lines = [np.arange(-gap / 2, gap / 2, 0.004), np.arange(-0.009, 0.01, 0.0045), np.arange(-0.015, TIP_M, 0.004)]
    return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)


def placed(poses: Sequence[Pose], points: np.ndarray) -> np.ndarray:
    """(N, P, 3) `points` (P, 3) of the hand in the world, with the hand at each of `poses`."""
    rotations = np.stack([pose.rotation for pose in poses])
    positions = np.stack([pose.position for pose in poses])
    return points @ rotations.transpose(0, 2, 1) + positions[:, None]


def blocked(grid: Grid, poses: Sequence[Pose], gap: float, spacing: float = FINE_M) -> np.ndarray:
    """(N,) share of the hand that something is in the way of, on coming to each of `poses` with fingers `gap` apart.

    A hand that points down comes from above, so nothing may stand over it either; others come forwards.
    """
    points = placed(poses, hand_points(round(gap, 3), spacing))
    hits = grid.hits(points)
    down = np.stack([pose.rotation[2, 2] for pose in poses]) < UPRIGHT
    hits[down] |= points[down][..., 2] < grid.tops(points[down]) - CELL_M
    return hits.mean(axis=1)


def touching(grid: Grid, poses: Sequence[Pose], gap: float, spacing: float = FINE_M) -> np.ndarray:
    """(N,) the share of the hand that is inside something at each of `poses`."""
    return grid.hits(placed(poses, hand_points(round(gap, 3), spacing))).mean(axis=1)


def strain(shoulder: np.ndarray, hand: Pose) -> float:
    """What it costs to bring the hand there: little within reach, much beyond it. `shoulder` (2,), m."""
    distance = float(np.linalg.norm(hand.position[:2] - shoulder))
    return 0.5 * distance + 15.0 * max(distance - REACH_M, 0.0)
