"""N quadrotors as rigid bodies with four rotors; world ENU, body FLU, SI units. Differentiable; on any device.

Everything is a row of N numbers, one per quadrotor, so that every operation is as wide as there are quadrotors. Thrust
is a polynomial of the rotor's speed, which follows its command with a lag of first order, slower down than up (as in
l2f, arXiv 2311.13081); drag is linear in the wind it meets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from burnish.quadrotor import GRAVITY

POSITION, VELOCITY, ATTITUDE = slice(0, 3), slice(3, 6), slice(6, 10)
RATES, ROTORS = slice(10, 13), slice(13, 17)
STATE_ROWS = 17
"""Position, velocity (world); attitude (w, x, y, z; body → world); angular velocity (body); speeds of the rotors as
shares of the highest, in PX4's order: front right, rear left (both counterclockwise), front left, rear right."""

MASS, THRUST, IDLE, LINEAR, ARM, MOMENT, SPIN_UP, SPIN_DOWN, DRAG, LATENCY = range(10)
INERTIA, WIND = slice(10, 13), slice(13, 16)
VEHICLE_ROWS = 16
"""kg; N of one rotor at full speed; shares of that at no speed, and of it that grow linearly, the rest as the square;
m from the middle to each rotor along forward and left; m, torque about its axis per N; s, time constants of a rotor's
speed; N per m/s; s by which commands come late; kg·m² about forward, left, up; m/s of the air, world."""


def derivative(state: Tensor, vehicle: Tensor, command: Tensor) -> Tensor:
    """d/dt of `state` (17, N). `command`: (4, N) speeds the rotors are asked for, 0 … 1."""
    velocity, rates, speed = state[VELOCITY], state[RATES], state[ROTORS]
    idle, linear = vehicle[IDLE], vehicle[LINEAR]
    thrust = vehicle[THRUST] * (idle + speed * (linear + (1 - idle - linear) * speed))
    front_right, rear_left, front_left, rear_right = thrust
    left, right = front_left + rear_left, front_right + rear_right
    diagonal, other = front_left + rear_right, front_right + rear_left
    torque = torch.stack(
        [
            vehicle[ARM] * (left - right),
            vehicle[ARM] * (rear_left + rear_right - front_left - front_right),
            vehicle[MOMENT] * (diagonal - other),
        ]
    )
    w, x, y, z = state[ATTITUDE]
    lift = (left + right) / vehicle[MASS]
    up = torch.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
    acceleration = up * lift + (vehicle[DRAG] / vehicle[MASS]) * (vehicle[WIND] - velocity)
    p, q, r = rates
    roll, pitch, yaw = vehicle[INERTIA]
    turning = torque - torch.stack([(yaw - pitch) * q * r, (roll - yaw) * r * p, (pitch - roll) * p * q])
    spinning = 0.5 * torch.stack(
        [-x * p - y * q - z * r, w * p + y * r - z * q, w * q + z * p - x * r, w * r + x * q - y * p]
    )
    gap = command - speed
    lag = torch.where(gap > 0, vehicle[SPIN_UP], vehicle[SPIN_DOWN])
    falling = torch.cat([acceleration[:2], acceleration[2:] - GRAVITY])
    return torch.cat([velocity, falling, spinning, turning / vehicle[INERTIA], gap / lag])


def advance(state: Tensor, vehicle: Tensor, command: Tensor, seconds: float) -> Tensor:
    """`state` (17, N) `seconds` later: one step of Runge and Kutta's fourth order; `command` (4, N) stands."""
    first = derivative(state, vehicle, command)
    second = derivative(state + seconds / 2 * first, vehicle, command)
    third = derivative(state + seconds / 2 * second, vehicle, command)
    fourth = derivative(state + seconds * third, vehicle, command)
    moved = state + seconds / 6 * (first + 2 * (second + third) + fourth)
    attitude = moved[ATTITUDE]
    length = attitude.square().sum(0).sqrt()
    return torch.cat([moved[:6], attitude / length, moved[RATES], moved[ROTORS].clamp(0, 1)])


def stride(state: Tensor, vehicle: Tensor, command: Tensor, seconds: float) -> Tensor:
    """As `advance`, for a quarter of the work: rotors exactly, the rest by the mean of its ends, with the forces of its
    middle. For learning through thousands of steps; at 10 ms, a tumbling third of a second ends some cm from `advance`.
    """
    speed = state[ROTORS]
    lag = torch.where(command > speed, vehicle[SPIN_UP], vehicle[SPIN_DOWN])
    then = command + (speed - command) * torch.exp(-seconds / lag)
    mean = 0.5 * (speed + then)
    change = derivative(torch.cat([state[:13], mean]), vehicle, mean)
    velocity, rates = (state[rows] + seconds * change[rows] for rows in (VELOCITY, RATES))
    w, x, y, z = state[ATTITUDE]
    p, q, r = 0.25 * seconds * (state[RATES] + rates)
    attitude = torch.stack([w - x * p - y * q - z * r, x + w * p + y * r - z * q, y + w * q + z * p - x * r,
                            z + w * r + x * q - y * p])  # fmt: skip
    place = state[POSITION] + 0.5 * seconds * (state[VELOCITY] + velocity)
    return torch.cat([place, velocity, attitude * attitude.square().sum(0).rsqrt(), rates, then])


def delayed(command: Tensor, before: Tensor, vehicle: Tensor, seconds: float) -> Tensor:
    """(4, N) what reaches the rotors, on the average over a step of `seconds`, when commands come `LATENCY` late, at
    most a step: a part of the step it is still the one `before`."""
    return command + (vehicle[LATENCY] / seconds) * (before - command)


def rotation(attitude: Tensor) -> Tensor:
    """(9, N) body → world, row by row, of quaternions (4, N)."""
    w, x, y, z = attitude
    return torch.stack(
        [
            *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        ]
    )


def hover_command(vehicle: Tensor) -> Tensor:
    """(N,) the speed of every rotor that carries the weight: the root of the thrust's polynomial."""
    share = vehicle[MASS] * GRAVITY / (4 * vehicle[THRUST])
    return speed_for(share, vehicle)


def speed_for(share: Tensor, vehicle: Tensor) -> Tensor:
    """(…, N) the speed at which a rotor gives `share` of its full thrust."""
    idle, linear = vehicle[IDLE], vehicle[LINEAR]
    square = 1 - idle - linear
    return (torch.sqrt(linear**2 + 4 * square * (share - idle).clamp(min=1e-9)) - linear) / (2 * square)
