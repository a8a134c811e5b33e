"""The quadrotor's physics, where the answer is known."""

import math

import pytest
import torch

from burnish.quadrotor import GRAVITY
from burnish.sim.quadrotor import dynamics
from burnish.sim.quadrotor.dynamics import advance, delayed, hover_command
from burnish.sim.quadrotor.vehicles import Fleet, named

STEP_S = 0.01
FLEET = Fleet(drag=(0.0, 0.0)).draw(torch.arange(64)).double()


def at_rest(count: int) -> torch.Tensor:
    state = torch.zeros(dynamics.STATE_ROWS, count, dtype=torch.float64)
    state[dynamics.ATTITUDE.start] = 1
    return state


def fly(state, vehicle, command, steps):
    for _ in range(steps):
        state = advance(state, vehicle, command, STEP_S)
    return state


def test_without_rotors_it_falls_as_a_stone():
    vehicle = FLEET.clone()
    vehicle[dynamics.IDLE] = 0
    end = fly(at_rest(64), vehicle, torch.zeros(4, 64), 100)
    assert torch.allclose(end[2], torch.full((64,), -GRAVITY / 2).double(), atol=1e-9)
    assert torch.allclose(end[dynamics.VELOCITY][2], torch.full((64,), -GRAVITY).double(), atol=1e-9)


def test_hover_thrust_carries_exactly_the_weight():
    start = at_rest(64)
    command = hover_command(FLEET).repeat(4, 1)
    start[dynamics.ROTORS] = command
    assert torch.allclose(fly(start, FLEET, command, 200), start, atol=1e-9)


def test_a_rotor_answers_a_step_as_a_lag_of_first_order():
    start = at_rest(64)
    start[dynamics.ROTORS] = 0.5
    for command, row in ((0.8, dynamics.SPIN_UP), (0.2, dynamics.SPIN_DOWN)):
        end = fly(start, FLEET, torch.full((4, 64), command), 20)
        exact = command + (0.5 - command) * torch.exp(-20 * STEP_S / FLEET[row])
        assert torch.allclose(end[dynamics.ROTORS], exact.repeat(4, 1), atol=1e-5)


def test_drag_ends_in_the_wind_and_falling_in_its_terminal_speed():
    vehicle = named("x500", 1).double()
    vehicle[dynamics.WIND] = torch.tensor([3.0, -1.0, 0.0])[:, None]
    end = at_rest(1)
    for _ in range(1000):
        end = advance(end, vehicle, torch.zeros(4, 1), 0.2)
    fall = (vehicle[dynamics.MASS] * GRAVITY / vehicle[dynamics.DRAG]).item()
    assert end[dynamics.VELOCITY][:, 0].tolist() == pytest.approx([3.0, -1.0, -fall])


def test_turning_freely_keeps_energy_and_angular_momentum():
    vehicle = FLEET.clone()
    vehicle[dynamics.IDLE] = 0
    start = at_rest(64)
    start[dynamics.RATES] = torch.tensor([3.0, -2.0, 5.0]).double()[:, None]

    def kept(state):
        inertia, rates = vehicle[dynamics.INERTIA], state[dynamics.RATES]
        turned = dynamics.rotation(state[dynamics.ATTITUDE]).view(3, 3, -1)
        return (inertia * rates**2).sum(0) / 2, torch.einsum("ijn,jn->in", turned, inertia * rates)

    (energy, momentum), (later, then) = kept(start), kept(fly(start, vehicle, torch.zeros(4, 64), 300))
    assert torch.allclose(later, energy, rtol=1e-5)
    assert torch.allclose(then, momentum, rtol=1e-4, atol=1e-9)


def test_each_rotor_turns_it_as_px4_numbers_them():
    turned = []
    for rotor in range(4):
        state = at_rest(1)
        state[dynamics.ROTORS.start + rotor] = 1.0
        turned.append(dynamics.derivative(state, named("x500", 1).double(), torch.zeros(4, 1))[dynamics.RATES].sign())
    right, forward = [turn[0].item() for turn in turned], [turn[1].item() for turn in turned]
    assert right == [-1, 1, 1, -1]  # the front right one lowers the left side
    assert forward == [-1, 1, -1, 1]  # a positive pitch lowers the nose
    assert [turn[2].item() for turn in turned] == [-1, -1, 1, 1]


def test_a_late_command_counts_for_the_rest_of_the_step():
    vehicle = named("x500", 1)
    vehicle[dynamics.LATENCY] = 0.004
    assert delayed(torch.ones(4, 1), torch.zeros(4, 1), vehicle, STEP_S)[0].item() == pytest.approx(0.6)


def test_fleets_stay_in_their_ranges():
    fleet = Fleet(mass=(0.03, 2.0), thrust_to_weight=(1.6, 4.0), wind=3.0)
    drawn = fleet.draw(torch.arange(4096))
    heavy = 4 * drawn[dynamics.THRUST] / (drawn[dynamics.MASS] * GRAVITY)
    for found, (low, high) in (
        (drawn[dynamics.MASS], fleet.mass),
        (heavy, fleet.thrust_to_weight),
        (drawn[dynamics.SPIN_UP], fleet.spin_up),
        (drawn[dynamics.SPIN_DOWN], fleet.spin_down),
        (drawn[dynamics.WIND], (-3.0, 3.0)),
    ):
        assert low - 1e-4 <= found.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < found.max() <= high + 1e-4
    turning = drawn[dynamics.ARM] * drawn[dynamics.THRUST] * math.sqrt(2) / drawn[dynamics.INERTIA.start]
    assert turning.min() > 39 and turning.max() < 1201


def test_gradients_flow_through_a_flight():
    command = torch.full((4, 64), 0.6, dtype=torch.float64, requires_grad=True)
    fly(at_rest(64), FLEET, command, 20)[2].sum().backward()
    assert command.grad is not None and (command.grad > 0).all()
