"""What a Franka Research 3 is, for its driver and for its simulator: limits, contract, kinematics.

Limits by its manufacturer's documentation; kinematics are its modified Denavit–Hartenberg parameters, with the hand and
the tool's centre point as in its `fr3_hand` description.
"""

from __future__ import annotations

from functools import reduce
from itertools import accumulate

import numpy as np

from burnish.arrays import Array, Constant, namespace
from burnish.contract import STATE, Contract, Field
from burnish.limits import Limits

RATE_HZ = 1000.0
JOINTS = tuple(f"joint{number}" for number in range(1, 8))
WIDTH = "gripper_width"
SOURCE = "Franka Robotics, Control Parameters Specifications, FR3; fr3 joint_limits.yaml"
DOWN = (0.0, 0.0, 0.0, -1.57079, 0.0, 1.57079, 0.7853)
"""A pose from which to start, rad: the hand points down in front of the base."""
WORKSPACE = ((-0.3, -0.75, 0.005), (0.8, 0.75, 1.0))
"""Of the tool's centre point, m: not below the table it stands on, not behind its own base."""
A = np.array([0, 0, 0, 0.0825, -0.0825, 0, 0.088])
D = np.array([0.333, 0, 0.316, 0, 0.384, 0, 0])
ALPHA = np.array([0, -1, 1, 1, -1, 1, 1]) * np.pi / 2
FLANGE_M, TOOL_M, HAND_TURN = 0.107, 0.1034, -np.pi / 4

LIMITS = Limits(
    names=(*JOINTS, WIDTH),
    low=(-2.9007, -1.8361, -2.9007, -3.0770, -2.8763, 0.4398, -3.0508, 0.0),
    high=(2.9007, 1.8361, 2.9007, -0.1169, 2.8763, 4.6216, 3.0508, 0.08),
    velocity=(2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26, 0.2),
    acceleration=(10.0,) * 7 + (2.0,),
    jerk=(5000.0,) * 7 + (1000.0,),
    jump=(0.35,) * 7 + (0.09,),
    torque=(87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0, 140.0),
    source=SOURCE,
    free=(WIDTH,),
    workspace=WORKSPACE,
    clearance=0.01,
    silence=0.2,
    deceleration=(6.0, 2.585, 3.5, 4.0, 17.0, 5.5, 17.0, 1e6),
    offset=(0.652, 0.25, 0.2005, 0.3542, 0.5738, 0.4885, 0.4592, 0.0),
)
ARM_LIMITS = LIMITS.of(JOINTS)
JOINT_STIFFNESS = (3000.0, 3000.0, 3000.0, 2500.0, 2500.0, 2000.0, 2000.0)
"""N·m/rad, the manufacturer's default of the internal joint impedance controller."""
CARTESIAN_STIFFNESS = (3000.0, 3000.0, 3000.0, 300.0, 300.0, 300.0)
"""N/m along and N·m/rad about the tool's x, y and z: likewise, of the Cartesian one."""
JOINT_STIFFNESS_RANGE = ((0.0,) * 7, (14250.0,) * 7)
CARTESIAN_STIFFNESS_RANGE = ((10.0,) * 3 + (1.0,) * 3, (3000.0,) * 3 + (300.0,) * 3)
"""What the robot takes: libfranka, Robot::setJointImpedance and setCartesianImpedance."""


def contract() -> Contract:
    """What the arm observes and is commanded: joint positions, velocities and the opening of its gripper."""
    names = (*JOINTS, *(f"{joint}_velocity" for joint in JOINTS), WIDTH)
    unit = ("rad",) * 7 + ("rad/s",) * 7 + ("m",)
    state = Field((15,), names, unit, "joint", RATE_HZ, "min_max")
    action = Field((8,), LIMITS.names, ("rad",) * 7 + ("m",), "joint", RATE_HZ, "min_max")
    return Contract({STATE: state}, action)


HAND, TOOL = 8, 9
"""Places of the last two of `frames`; before them come the base and the seven joints."""


def frames(joints: np.ndarray) -> np.ndarray:
    """(…, 10, 4, 4): base, seven joints, hand (its flange) and tool (the point between the finger tips), in the base's
    frame, of joints (…, 7), rad."""
    steps = _steps(joints)
    placed = list(accumulate(steps, np.matmul))
    base = np.broadcast_to(np.eye(4), steps.shape[1:])
    return np.stack([base, *placed, placed[-1] @ _FLANGE, placed[-1] @ _TIP.value], axis=-3)


def tool(joints: Array) -> Array:
    """(…, 4, 4): the last of `frames`; of a tensor on its device, in its precision."""
    return reduce(namespace(joints).matmul, _steps(joints)) @ _TIP.like(joints)


def _steps(joints: Array) -> Array:
    """(7, …, 4, 4) from each joint to the next: its link, then its turn."""
    xp = namespace(joints)
    turns, links = xp.moveaxis(joints, -1, 0), _LINKS.like(joints)
    cos, sin, links = xp.cos(turns), xp.sin(turns), links.reshape(7, *[1] * (joints.ndim - 1), 4, 4)
    steps = xp.empty((*turns.shape, 4, 4), dtype=links.dtype, device=joints.device)
    steps[:] = links
    steps[..., 0, 0], steps[..., 0, 1] = cos, -sin
    xp.multiply(sin[..., None], links[..., 1:3, 1], out=steps[..., 1:3, 0])
    xp.multiply(cos[..., None], links[..., 1:3, 1], out=steps[..., 1:3, 1])
    return steps


def _links() -> np.ndarray:
    """(7, 4, 4) from each link to its next joint, not yet turned."""
    found, cos, sin = np.zeros((7, 4, 4)), np.cos(ALPHA), np.sin(ALPHA)
    found[:, 0, 0], found[:, 3, 3] = 1, 1
    found[:, 1, 1], found[:, 1, 2], found[:, 2, 1], found[:, 2, 2] = cos, -sin, sin, cos
    found[:, 0, 3], found[:, 1, 3], found[:, 2, 3] = A, -sin * D, cos * D
    return found


def _hand(along_m: float) -> np.ndarray:
    found, cos, sin = np.eye(4), np.cos(HAND_TURN), np.sin(HAND_TURN)
    found[:2, :2], found[2, 3] = [[cos, -sin], [sin, cos]], along_m
    return found


_LINKS, _FLANGE, _TIP = Constant(_links()), _hand(FLANGE_M), Constant(_hand(FLANGE_M + TOOL_M))
