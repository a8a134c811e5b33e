"""The set point between two actions as one Warp kernel, a thread per joint: what `motion.SetpointMotion` does.

Written twice: there a few joints out of all are gathered before they pursue, since calls of NumPy cost more than
numbers; here that would bring their number to the host, and each call to a device costs more than the whole kernel.
Comments are there; a test holds both together.
"""

# Kernels are Warp's language, which it checks itself; to Python's eyes its types are none.
# pyright: reportGeneralTypeIssues=false, reportInvalidTypeForm=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportAssignmentType=false

from __future__ import annotations

import numpy as np
import warp as wp

from burnish import quintic
from burnish.fr3 import ARM_LIMITS
from burnish.sim.franka.motion import ACCELERATION, HIGH, LOW, SHARE, SLOWEST

Real = wp.float64


@wp.struct
class Joint:
    """What one of the seven may do."""

    low: Real
    high: Real
    speed: Real
    acceleration: Real
    doubled: Real
    offset: Real


def joints(device: str) -> wp.array:
    """(7,) of the arm."""
    limits, doubled = ARM_LIMITS, 2 * np.array(ARM_LIMITS.deceleration)
    given = zip(LOW, HIGH, limits.velocity, ACCELERATION, doubled, limits.offset or (), strict=True)
    made = []
    for numbers in given:
        joint = Joint()
        joint.low, joint.high, joint.speed, joint.acceleration, joint.doubled, joint.offset = map(float, numbers)
        made.append(joint)
    return wp.array(made, dtype=Joint, device=device)


def joining(ticks: int, tick_s: float, device: str) -> wp.array:
    """(3, ticks, 5): `quintic.joining`, of motions that do not accelerate at their end."""
    found = quintic.joining(np.arange(1, ticks + 1) * tick_s, ticks * tick_s)[:3, :, :5]
    return wp.array(np.ascontiguousarray(found), dtype=Real, device=device)


@wp.func
def speed(joint: Joint, position: Real) -> Real:
    """`Limits.speed`."""
    room = wp.max(wp.min(position - joint.low, joint.high - position), Real(0.0))
    return wp.min(joint.speed, wp.max(wp.sqrt(joint.doubled * room) - joint.offset, Real(0.0)))


@wp.func
def fastest(joint: Joint, room: Real, margin: Real) -> Real:
    """From which `room` suffices to stop."""
    return wp.sqrt(margin * margin + Real(2.0) * joint.acceleration * wp.max(room, Real(0.0))) - margin


@wp.func
def joined(joining: wp.array3d(dtype=Real), order: int, tick: int, begin: wp.vec3d, target: Real, onward: Real) -> Real:
    """Position, velocity or acceleration (`order`) at the end of a `tick` of the quintic."""
    return (
        joining[order, tick, 0] * begin[0]
        + joining[order, tick, 1] * begin[1]
        + joining[order, tick, 2] * begin[2]
        + joining[order, tick, 3] * target
        + joining[order, tick, 4] * onward
    )


@wp.kernel
def follow(
    action: wp.array2d(dtype=Real),
    joints: wp.array(dtype=Joint),
    joining: wp.array3d(dtype=Real),
    tick_s: Real,
    now: wp.array3d(dtype=Real),
    last: wp.array2d(dtype=Real),
    path: wp.array4d(dtype=Real),
):
    """Take `now` (N, 3, 7) and `last` (N, 7) on by one `action` (N, 7), along `path` (2, ticks, N, 7)."""
    lane, number = wp.tid()
    joint, ticks = joints[number], path.shape[1]
    span = tick_s * Real(ticks)
    begin = wp.vec3d(now[lane, 0, number], now[lane, 1, number], now[lane, 2, number])
    target = wp.clamp(action[lane, number], joint.low, joint.high)
    top = Real(SHARE) * wp.max(wp.min(speed(joint, begin[0]), speed(joint, target)), Real(SLOWEST))
    onward = wp.clamp((target - last[lane, number]) / span, -top, top)
    fits = bool(True)  # noqa: UP018  (a literal would be a constant)
    at = wp.vec3d()
    for tick in range(ticks):
        at = wp.vec3d(
            joined(joining, 0, tick, begin, target, onward),
            joined(joining, 1, tick, begin, target, onward),
            joined(joining, 2, tick, begin, target, onward),
        )
        fits = fits and at[0] >= joint.low and at[0] <= joint.high
        fits = fits and wp.abs(at[1]) <= top and wp.abs(at[2]) <= joint.acceleration
        path[0, tick, lane, number] = at[0]
        path[1, tick, lane, number] = at[1]
    if not fits:
        position = begin[0]
        velocity = begin[1]
        change = joint.acceleration * tick_s
        margin = Real(1.5) * change
        for tick in range(ticks):
            gap = target - (span - tick_s * Real(tick + 1)) * onward - position
            wish = wp.min(fastest(joint, wp.abs(gap), margin), wp.abs(gap) / tick_s)
            wish = onward + wp.sign(gap) * wish
            wish = wp.min(wish, wp.min(top, fastest(joint, joint.high - position, margin)))
            wish = wp.max(wish, -wp.min(top, fastest(joint, position - joint.low, margin)))
            velocity += wp.clamp(wish - velocity, -change, change)
            position += velocity * tick_s
            path[0, tick, lane, number] = position
            path[1, tick, lane, number] = velocity
        at = wp.vec3d(position, velocity, Real(0.0))
    now[lane, 0, number] = at[0]
    now[lane, 1, number] = at[1]
    now[lane, 2, number] = at[2]
    last[lane, number] = target
