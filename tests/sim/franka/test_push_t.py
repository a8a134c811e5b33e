"""How much of its goal a T covers."""

from __future__ import annotations

import numpy as np

from burnish.sim.franka.push_t import AREA, GOAL, HALF, PARTS, coverage
from burnish.sim.franka.task import turned


def inside(points: np.ndarray, x: float, y: float, yaw: float) -> np.ndarray:
    """(P,) bool, which of `points` (P, 2) lie in a T at that place."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    local = (points - (x, y)) @ np.array([[cos, -sin], [sin, cos]])
    return np.any([(np.abs(local - (px, py)) < (sx / 2, sy / 2)).all(axis=1) for px, py, sx, sy in PARTS], axis=0)


def test_coverage_is_the_share_of_the_goal_that_is_covered():
    random = np.random.default_rng(0)
    points = random.uniform(-0.15, 0.15, (200_000, 2)) + GOAL[:2]
    at_goal = inside(points, *GOAL)
    assert np.isclose(at_goal.mean() * 0.3**2, AREA, rtol=0.02)
    for _ in range(20):
        x, y = np.add(GOAL[:2], random.uniform(-0.06, 0.06, 2))
        yaw = random.uniform(-np.pi, np.pi)
        expected = (at_goal & inside(points, x, y, yaw)).sum() / at_goal.sum()
        assert abs(coverage(turned((x, y, HALF), yaw)[None])[0] - expected) < 0.01


def test_it_is_all_of_it_at_the_goal_and_none_elsewhere():
    there, away = turned((*GOAL[:2], HALF), GOAL[2]), turned((0.9, 0.5, HALF), 1.0)
    assert np.allclose(coverage(np.stack([there, away])), [1, 0], atol=1e-9)
