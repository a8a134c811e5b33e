from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from burnish.quadrotor import GRAVITY
from burnish.real.quadrotor.dynamics import Airframe, Quadrotor

STEP_S = 1e-3
VACUUM = replace(Airframe(), drag=0.0)


def run(body: Quadrotor, seconds: float, command=np.zeros(4)) -> Quadrotor:  # noqa: B008
    for _ in range(round(seconds / STEP_S)):
        body.step(command, STEP_S)
    return body


def high(airframe=VACUUM, **more) -> Quadrotor:
    return Quadrotor(airframe, position=np.array([0, 0, 100.0]), **more)


def test_free_fall():
    body = run(high(), 1.0)
    assert body.velocity[2] == pytest.approx(-GRAVITY)
    assert body.position[2] == pytest.approx(100 - GRAVITY / 2, rel=1e-3)


def test_drag_ends_in_a_terminal_velocity():
    airframe = Airframe()
    body = run(Quadrotor(airframe, position=np.array([0, 0, 5e3])), 60.0)
    assert body.velocity[2] == pytest.approx(-airframe.mass * GRAVITY / airframe.drag, rel=0.01)


def test_hover_is_an_equilibrium():
    command = np.full(4, math.sqrt(VACUUM.hover))
    body = run(high(speed=command.copy()), 2.0, command)
    assert body.position == pytest.approx([0, 0, 100])
    assert body.rotation == pytest.approx(np.eye(3))


def test_a_rotor_follows_its_time_constants():
    body = run(high(), VACUUM.spin_up, np.full(4, 0.8))
    assert body.speed == pytest.approx(np.full(4, 0.8 * (1 - math.exp(-1))), rel=0.03)
    body = run(high(speed=np.ones(4)), VACUUM.spin_down)
    assert body.speed == pytest.approx(np.full(4, math.exp(-1)), rel=0.03)


def test_angular_momentum_is_kept_while_it_tumbles():
    momentum = np.array([0.02, 0.3, 0.1])
    body = run(high(momentum=momentum.copy()), 3.0)
    assert body.momentum == pytest.approx(momentum)
    energy = body.rates @ (np.array(VACUUM.inertia) * body.rates)
    assert energy == pytest.approx(momentum @ (momentum / np.array(VACUUM.inertia)), rel=0.02)


@pytest.mark.parametrize(
    ("rotors", "axis", "sign"),
    [((1, 2), 0, 1), ((1, 3), 1, 1), ((2, 3), 2, 1)],
    ids=["left ones: roll to the right", "rear ones: nose down", "clockwise ones: turn to the left"],
)
def test_which_way_it_turns(rotors, axis, sign):
    command = np.full(4, 0.7)
    command[list(rotors)] += 0.1
    rates = run(high(), 0.1, command).rates
    assert np.sign(rates[axis]) == sign
    assert np.abs(np.delete(rates, axis)) == pytest.approx([0, 0], abs=1e-9)


def test_constant_torque_gives_constant_angular_acceleration():
    command = np.full(4, 0.7)
    command[[1, 2]] = 0.75
    body = run(high(speed=command.copy()), 0.1, command)
    torque = VACUUM.arm * 2 * VACUUM.most * (0.75**2 - 0.7**2)
    assert body.rates[0] == pytest.approx(torque / VACUUM.inertia[0] * 0.1, rel=1e-6)


def test_it_stands_where_it_came_down_and_says_how_hard():
    body = run(Quadrotor(VACUUM, position=np.array([0, 0, 0.5])), 1.0)
    assert body.on_ground
    assert body.velocity == pytest.approx(np.zeros(3))
    assert body.landing_speed == pytest.approx(math.sqrt(2 * GRAVITY * 0.5), rel=0.01)
