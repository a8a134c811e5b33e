"""The energy tank of a Cartesian impedance: pushing costs what the springs take, moving freely next to nothing."""

from __future__ import annotations

import numpy as np

from burnish.fr3 import DOWN, TOOL, frames
from burnish.real.base import State
from burnish.real.franka.tank import CartesianTank
from burnish.sim.franka.kinematics import jacobian

HOME = np.append(DOWN, 0.05)
STIFFNESS = (1000.0,) * 3 + (100.0,) * 3
CYCLES = 600


def spent(move: np.ndarray, *, free: bool) -> float:
    """J drawn while the set point moves the tool by `move` (6,), m and rad, with the arm behind it or held back."""
    tank, end = CartesianTank(STIFFNESS, 100.0), HOME.copy()
    end[:7] += np.linalg.pinv(jacobian(frames(HOME[None, :7]))[0]) @ move
    for cycle in range(CYCLES + 1):
        goal = HOME + (end - HOME) * cycle / CYCLES
        here = goal if free else HOME
        assert tank.pays(State(cycle * 1e-3, here, here, here), (goal, goal * 0, goal * 0), 1e-3)
    return 100.0 - tank.level_j


def test_pushing_costs_what_the_springs_take():
    assert np.isclose(spent(np.array([0.05, 0, 0, 0, 0, 0]), free=False), 0.5 * 1000 * 0.05**2, rtol=0.1)
    assert np.isclose(spent(np.array([0, 0, 0, 0, 0, 0.2]), free=False), 0.5 * 100 * 0.2**2, rtol=0.1)
    assert spent(np.array([0.05, 0, 0, 0, 0, 0.2]), free=True) <= 0.0


def test_an_empty_tank_does_not_pay():
    tank, away = CartesianTank(STIFFNESS, 1.0), frames(HOME[:7])[TOOL, :3, 3]
    assert away[0] > 0.3
    still, paid = State(0.0, HOME, HOME, HOME), []
    for cycle in range(CYCLES):
        goal = HOME - 0.3 * np.eye(8)[3] * cycle / CYCLES
        paid.append(tank.pays(still, (goal, goal * 0, goal * 0), 1e-3))
    assert paid[0] and not paid[-1]
