"""What a Go2 and a G1 are, for their drivers and for their simulators: joints in the order of the SDK's motors, limits,
gains, poses, each with its source, and what they observe and are commanded.

Sources, all Unitree's own: `unitree_ros` robots/go2_description/urdf/go2_description.urdf, `unitree_rl_gym`
resources/robots/g1_description/g1_29dof_rev_1_0.urdf (ranges, torques, speeds); `unitree_rl_lab` deploy/robots/*/config
(gains and poses of FixStand, damping of Passive) and assets/robots/unitree.py (gains that policies are trained with).
"""

from __future__ import annotations

from dataclasses import dataclass

from burnish.contract import STATE, Contract, Field
from burnish.limits import Limits

CYCLE_HZ = 500.0
"""LowState comes and LowCmd goes once per cycle."""
JUMP = 0.48
"""rad: what the fastest hip joint (30.1 rad/s) can move in a policy's step of 20 ms with `Safety`'s share of 0.8."""
ARMATURE = 0.01
"""kg·m², of a joint, in Unitree's MJCF; torque / armature bounds what an acceleration can be."""


@dataclass(frozen=True)
class Gains:
    """Of a motor's own controller: torque = kp (q* − q) − kd dq; N·m/rad and N·m·s/rad, one per joint."""

    kp: tuple[float, ...]
    kd: tuple[float, ...]


@dataclass(frozen=True)
class Model:
    """One robot.

    Attributes:
        family: of its messages in the SDK's IDL.
        joints: names as in URDF and MJCF, in the order of the motors.
        policy: gains while a policy plays.
        standing: gains while it stands up.
        damping: kd of a damped robot, N·m·s/rad.
        path: poses (rad) to pass one after the other to stand up; the last is the standing pose.
        rest: pose (rad) to go back to before it is damped at the end, or None to damp it where it is.
        machines: values of LowState's `mode_machine` that mean these joints; empty where there is no such field.
        follows: joints that a clip moves, while the others balance; none where there are no arms.
        steps_hz: of one leg, to the clock that a policy that walks is told.
        tilt: between gravity and the body's −z, above which it has fallen, rad; as in `unitree_rl_lab`.
        hot: temperature above which a motor is a fault, °C; below the motors' own protection.
    """

    name: str
    family: str
    joints: tuple[str, ...]
    limits: Limits
    policy: Gains
    standing: Gains
    damping: tuple[float, ...]
    path: tuple[tuple[float, ...], ...]
    rest: tuple[float, ...] | None
    machines: tuple[int, ...] = ()
    follows: tuple[str, ...] = ()
    steps_hz: float = 2.5
    tilt: float = 1.0
    hot: float = 85.0


def _limits(
    names: tuple[str, ...], table: dict[str, tuple[float, float, float, float]], policy: Gains, source: str
) -> Limits:
    """`table`: joint's name without side → low, high (rad), torque (N·m), speed (rad/s)."""
    rows = [table[name] for name in names]
    low, high, torque, velocity = zip(*rows, strict=True)
    acceleration = tuple(most / ARMATURE for most in torque)
    return Limits(
        names, low, high, velocity, acceleration,
        jerk=tuple(most * CYCLE_HZ for most in acceleration),
        # Further away than torque / kp a target means no more than full torque.
        jump=tuple(min(JUMP, most / kp) for most, kp in zip(torque, policy.kp, strict=True)),
        torque=torque, source=source,
    )  # fmt: skip


_HIP, _CALF = (-1.0472, 1.0472, 23.7, 30.1), (-2.7227, -0.83776, 35.55, 20.07)
_FRONT, _BACK = (-1.5708, 3.4907, 23.7, 30.1), (-0.5236, 4.5379, 23.7, 30.1)
_GO2_JOINTS = tuple(f"{leg}_{part}_joint" for leg in ("FR", "FL", "RR", "RL") for part in ("hip", "thigh", "calf"))
_GO2_TABLE = {
    name: _HIP if "hip" in name else _CALF if "calf" in name else _FRONT if name[0] == "F" else _BACK
    for name in _GO2_JOINTS
}
_GO2_POLICY = Gains((25.0,) * 12, (0.5,) * 12)
_CROUCHED = (0.0, 1.36, -2.65) * 4

GO2 = Model(
    name="unitree-go2",
    family="unitree_go",
    joints=_GO2_JOINTS,
    limits=_limits(_GO2_JOINTS, _GO2_TABLE, _GO2_POLICY, "unitree_ros, go2_description.urdf"),
    policy=_GO2_POLICY,
    standing=Gains((60.0, 80.0, 80.0) * 4, (5.0, 4.0, 4.0) * 4),
    damping=(3.0,) * 12,
    path=(_CROUCHED, (0.0, 0.8, -1.5) * 4),
    rest=_CROUCHED,
)

_LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
_ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
_G1_JOINTS = (
    *(f"{side}_{part}_joint" for side in ("left", "right") for part in _LEG),
    *(f"waist_{part}_joint" for part in ("yaw", "roll", "pitch")),
    *(f"{side}_{part}_joint" for side in ("left", "right") for part in _ARM),
)
_G1_LEFT = {
    "hip_pitch": (-2.5307, 2.8798, 88.0, 32.0), "hip_roll": (-0.5236, 2.9671, 139.0, 20.0),
    "hip_yaw": (-2.7576, 2.7576, 88.0, 32.0), "knee": (-0.087267, 2.8798, 139.0, 20.0),
    "ankle_pitch": (-0.87267, 0.5236, 50.0, 37.0), "ankle_roll": (-0.2618, 0.2618, 50.0, 37.0),
    "shoulder_pitch": (-3.0892, 2.6704, 25.0, 37.0), "shoulder_roll": (-1.5882, 2.2515, 25.0, 37.0),
    "shoulder_yaw": (-2.618, 2.618, 25.0, 37.0), "elbow": (-1.0472, 2.0944, 25.0, 37.0),
    "wrist_roll": (-1.97222, 1.97222, 25.0, 37.0), "wrist_pitch": (-1.61443, 1.61443, 5.0, 22.0),
    "wrist_yaw": (-1.61443, 1.61443, 5.0, 22.0),
}  # fmt: skip
_G1_TABLE = {
    "waist_yaw_joint": (-2.618, 2.618, 88.0, 32.0),
    "waist_roll_joint": (-0.52, 0.52, 50.0, 37.0),
    "waist_pitch_joint": (-0.52, 0.52, 50.0, 37.0),
    **{f"left_{part}_joint": row for part, row in _G1_LEFT.items()},
    **{
        f"right_{part}_joint": (-high, -low, torque, speed) if part.endswith("_roll") else (low, high, torque, speed)
        for part, (low, high, torque, speed) in _G1_LEFT.items()
    },
}
_G1_GAINS = Gains(
    (100.0, 100.0, 100.0, 150.0, 40.0, 40.0) * 2 + (200.0,) * 3 + (40.0,) * 14,
    (2.0, 2.0, 2.0, 4.0, 2.0, 2.0) * 2 + (5.0,) * 3 + (10.0,) * 14,
)

G1 = Model(
    name="unitree-g1",
    family="unitree_hg",
    joints=_G1_JOINTS,
    limits=_limits(_G1_JOINTS, _G1_TABLE, _G1_GAINS, "unitree_rl_gym, g1_29dof_rev_1_0.urdf"),
    policy=_G1_GAINS,
    standing=_G1_GAINS,
    damping=(3.0,) * 29,
    path=(
        (-0.1, 0.0, 0.0, 0.3, -0.2, 0.0) * 2
        + (0.0, 0.0, 0.0)
        + (0.0, 0.25, 0.0, 0.97, 0.15, 0.0, 0.0, 0.0, -0.25, 0.0, 0.97, -0.15, 0.0, 0.0),
    ),
    rest=None,
    machines=(2, 5),
    follows=_G1_JOINTS[2 * len(_LEG) :],
    steps_hz=1.4,
)


def contract(model: Model, rate_hz: float = CYCLE_HZ) -> Contract:
    """Gravity (unit vector) and angular velocity in the body's frame, position and velocity of every joint; commanded
    is the position (rad) that each joint's own controller goes to."""
    joints, size = model.joints, len(model.joints)
    names = (
        *(f"{what}_{axis}" for what in ("gravity", "angular_velocity") for axis in "xyz"),
        *joints,
        *(f"{joint}_velocity" for joint in joints),
    )
    unit = ("1",) * 3 + ("rad/s",) * 3 + ("rad",) * size + ("rad/s",) * size
    state = Field((len(names),), names, unit, "body", rate_hz, "min_max")
    return Contract({STATE: state}, Field((size,), joints, ("rad",) * size, "joint", rate_hz, "min_max"))
