"""When the robot's driver refuses an action and halts (`burnish.real.safety`), for many arms at once.

A world that went on where the robot stops would promise what nobody gets. The rules that depend on the action alone are
here; that links come too near to each other, and that the robot stops by itself when it meets something, are not.
"""

from __future__ import annotations

from burnish.arrays import Array, Constant, namespace
from burnish.fr3 import ARM_LIMITS, WORKSPACE
from burnish.sim.franka.kinematics import tool_position

JUMP, LOW, HIGH = (Constant(part) for part in (ARM_LIMITS.jump, ARM_LIMITS.low, ARM_LIMITS.high))
NEAR, FAR = (Constant(corner) for corner in WORKSPACE)


def refused(setpoint: Array, action: Array) -> Array:
    """(n,) bool: whether `action` (n, 7) is too far from the `setpoint` (n, 7) at once, or would have the tool outside
    the workspace; rad."""
    xp = namespace(action)
    jumps = (xp.abs(action - setpoint) > JUMP.like(action)).any(axis=1)
    tool = tool_position(xp.minimum(xp.maximum(action, LOW.like(action)), HIGH.like(action)))
    return jumps | ((tool < NEAR.like(tool)) | (tool > FAR.like(tool))).any(axis=1)
