"""Where a policy is told to be, and what it was not trained for."""

import numpy as np
import pytest

from burnish.quadrotor import VEHICLE
from burnish.ranges import outside
from burnish.real.quadrotor.config import QuadrotorConfig
from burnish.real.quadrotor.driver import QuadrotorDriver
from burnish.real.quadrotor.route import Route


def test_the_eight_begins_at_rest_and_moves_as_it_says():
    route, step = Route("eight", 1.5), 1e-4
    assert route.at(0.0).tolist() == [0, 0, 1.5, 0, 0, 0]
    for moment in (0.5, 2.0, 3.5, 9.0):
        before, after = route.at(moment - step), route.at(moment + step)
        assert (after[:3] - before[:3]) / (2 * step) == pytest.approx(route.at(moment)[3:], abs=5e-3)
    assert np.abs(route.at(20.0)[:2]).max() <= 1.0


def test_the_clock_of_a_route_begins_with_the_first_question():
    now = [100.0]
    route = Route("eight", 1.5, lambda: now[0])
    assert route()[0] == 0
    now[0] = 102.0
    assert np.array_equal(route(), route.at(2.0))


def test_a_vehicle_outside_what_was_trained_is_named_with_by_how_much():
    trained = {"mass": (0.02, 4.0), "thrust_to_weight": (1.5, 5.0), "spin_up": (0.01, 0.15), "spin_down": (0.02, 0.3)}
    config = QuadrotorConfig(mass=4.5, thrust_to_weight=1.3, spin_up=0.05)
    found = QuadrotorDriver.unsuited(config, trained)
    assert "mass is 4.5 kg, 0.5 kg above the range 0.02 … 4 kg" in found
    assert "thrust_to_weight is 1.3, 0.2 below the range 1.5 … 5" in found and "spin_up" not in found
    assert not QuadrotorDriver.unsuited(QuadrotorConfig(mass=4.5, force=True), trained)
    assert not outside({"mass": None}, trained, VEHICLE)
