"""A quadrotor's controller that knows all about it: geometric (Lee, Leok and McClamroch, CDC 2010), rotors' lag undone.

Each of N quadrotors has gains of its own, so that N experts, each on its own vehicle, are one call. Differentiable.
"""

from __future__ import annotations

import torch
from torch import Tensor

from burnish.quadrotor import GRAVITY
from burnish.sim.quadrotor.dynamics import (
    ARM,
    ATTITUDE,
    DRAG,
    INERTIA,
    MASS,
    MOMENT,
    POSITION,
    RATES,
    ROTORS,
    SPIN_DOWN,
    SPIN_UP,
    THRUST,
    VELOCITY,
    WIND,
    rotation,
    speed_for,
)

GAINS = (4.0, 3.2, 60.0, 14.0, 6.0, 3.5, 0.025)
"""1/s² and 1/s of place and velocity; of attitude and rates; of yaw and its rate; s in which rotors are to follow."""
TILT, PULL = 1.0, 0.9
"""Largest sideways force per weight; share of the rotors' thrust that may be asked for along the body's axis."""


def default_gains(vehicle: Tensor) -> Tensor:
    """(7, N) that fly every quadrotor, slower those whose rotors turn it slowly."""
    agile = vehicle[ARM] * vehicle[THRUST] / vehicle[INERTIA.start]
    lag = 0.5 * (vehicle[SPIN_UP] + vehicle[SPIN_DOWN])
    quick = (agile / 150).clamp(0.3, 1.0).sqrt() * (0.06 / lag).clamp(0.5, 1.0).sqrt()
    powers = torch.tensor([2.0, 1.0, 2.0, 1.0, 1.0, 1.0, 0.0], device=vehicle.device)[:, None]
    return torch.tensor(GAINS, device=vehicle.device)[:, None] * quick**powers


def command(
    state: Tensor,
    vehicle: Tensor,
    gains: Tensor,
    target: Tensor,
    push: Tensor | None = None,
    turn: Tensor | None = None,
    tilt: float = TILT,
) -> Tensor:
    """(4, N) speeds for the rotors, 0 … 1.

    Args:
        state, vehicle: (17, N), (16, N), see `dynamics`.
        gains: (7, N).
        target: (6, N) place and velocity, world; the front keeps to the east.
        push: (3, N) m/s², acceleration wanted besides.
        turn: (6, N) rad/s and rad/s², angular velocity and acceleration that go with it, world.
        tilt: largest sideways force per weight.
    """
    near, fast, stiff, damp, yaw, yaw_damp, lag = gains
    weight = vehicle[MASS] * GRAVITY
    away = (target[:3] - state[POSITION]).clamp(-1.5, 1.5)
    pull = near * away + fast * (target[3:6] - state[VELOCITY])
    pull = pull - vehicle[DRAG] / vehicle[MASS] * (vehicle[WIND] - state[VELOCITY])
    force = pull if push is None else pull + push
    most = 4 * vehicle[THRUST] / vehicle[MASS]
    upward = (force[2] + GRAVITY).clamp(min=0.3 * GRAVITY)
    sideways = force[:2]
    room = torch.minimum(tilt * upward, ((PULL * most).square() - GRAVITY**2).clamp(min=1.0).sqrt())
    length = sideways.square().sum(0).add(1e-9).sqrt()
    sideways = sideways * torch.minimum(torch.ones_like(length), room / length)
    wanted = torch.cat([sideways, upward[None]])
    up = wanted / wanted.square().sum(0).sqrt()
    axes = rotation(state[ATTITUDE])
    forward, left, own = axes[0::3], axes[1::3], axes[2::3]
    error = torch.linalg.cross(own, up, dim=0)  # world; a body that hangs turns over sideways
    heading = torch.atan2(forward[1], forward[0])
    rates = state[RATES]
    rocking = stiff * _about(error, forward, left) - damp * rates[:2]
    if turn is not None:
        rocking = rocking + damp * _about(turn[:3], forward, left) + _about(turn[3:], forward, left)
    turning = torch.cat([rocking, (-yaw * heading - yaw_damp * rates[2])[None]])
    thrust = vehicle[MASS] * (wanted * own).sum(0)
    return _rotors(state[ROTORS], vehicle, lag, thrust.clamp(min=0.1 * weight), vehicle[INERTIA] * turning)


def _about(vector: Tensor, forward: Tensor, left: Tensor) -> Tensor:
    """(2, N) the parts of a vector (3, N) along two axes of the body."""
    return torch.stack([(vector * forward).sum(0), (vector * left).sum(0)])


def _rotors(speed: Tensor, vehicle: Tensor, lag: Tensor, thrust: Tensor, torque: Tensor) -> Tensor:
    """Commands that bring the rotors to collective `thrust` (N,) and `torque` (3, N) in `lag`, as far as they can.

    Where one would saturate yaw gives way first, then thrust, so that roll and pitch stay in hand.
    """
    full, most = vehicle[THRUST], 4 * vehicle[THRUST]
    roll, pitch = (torque[axis] / (4 * vehicle[ARM]) for axis in (0, 1))
    yaw = (torque[2] / (4 * vehicle[MOMENT])).clamp(-0.15 * full, 0.15 * full)
    level = torch.stack([-roll - pitch, roll + pitch, roll - pitch, -roll + pitch])
    spread = level.amax(0) - level.amin(0)
    level = level * torch.minimum(torch.ones_like(spread), 0.95 * full / spread.clamp(min=1e-9))
    share = torch.maximum(torch.minimum(thrust, 0.98 * most) / 4, -level.amin(0))
    share = torch.minimum(share, full - level.amax(0))
    asked = (share + level + torch.stack([-yaw, -yaw, yaw, yaw])) / full
    wanted = speed_for(asked.clamp(0.02, 1), vehicle)
    gap = wanted - speed
    slow = torch.where(gap > 0, vehicle[SPIN_UP], vehicle[SPIN_DOWN])
    return (speed + gap * (slow / lag).clamp(min=1)).clamp(0, 1)
