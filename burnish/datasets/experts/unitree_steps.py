"""A G1 that walks slowly: every foot is set down where it catches the inverted pendulum that the robot is.

Over the foot that stands, the centre of mass x moves as x'' = ω² x, ω² = g / height (Kajita et al., IROS 2001). A
gait of steps of T seconds is the orbit x(t) = S/2 sinh ω(t − T/2) / sinh ωT/2 forward, S the step, and, to the side of
the other foot, W/2 cosh ω(t − T/2) / cosh ωT/2, W the width. Who is d beside the orbit and e faster than it, r seconds
before the foot comes down, will then be faster by ω d sinh ωr + e cosh ωr; the foot is set down this / ω further, and
nothing of it is left (the capture point, Pratt et al., Humanoids 2006), but for a share, because sensors are noisy.
Joints are those of the standing pose and small differences to it; what carries the body on one foot is added to them.
Nothing is remembered, so that a policy without memory can imitate it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import mujoco
import numpy as np
import torch
from torch import Tensor

from burnish.sim.unitree.model import joint_names, learning_model
from burnish.sim.unitree.world import RATE_HZ
from burnish.unitree import Model

GRAVITY = 9.81
"""m/s²."""
SOLE_M = np.array([0.02, 0.0, -0.035])
"""From the ankle to where the foot carries."""
LEG_JOINTS = ("pitch", "roll", "yaw", "knee", "ankle_pitch", "ankle_roll")
LEG = len(LEG_JOINTS)
BEND = torch.tensor([-0.5, 0.0, 0.0, 1.0, -0.5, 0.0])
"""How a leg becomes shorter, its foot below the hip as before."""
LANDED = 0.95
"""Share of a step after which the foot is not lifted."""
SIDES = ("left", "right")
NARROWEST_M, WIDEST_M, LONGEST_M = 0.04, 0.35, 0.3
"""Of a step, from below the centre of mass."""

LEAP = 0.4
"""rad, from where a joint is: `Safety` halts for what is further away than 0.48 from what was asked before."""


@dataclass(frozen=True)
class Steps:
    """Its numbers, searched in the world itself."""

    width: float = 0.284
    """W, m."""
    wider: float = 0.0212
    """m, by which a foot is set down outside of that."""
    stride: float = 0.884
    """S, in the way of T seconds at the velocity asked for."""
    ahead: float = 0.0194
    """m, from the ankle to where the foot carries."""
    brake: float = -0.0271
    """m, by which a foot is set down further ahead."""
    bent: float = 0.221
    """rad, of the knees on top of the standing pose, and"""
    lift: float = 0.51
    """of the one that swings;"""
    down: float = 0.768
    """share of a step after which the foot is where it comes down;"""
    early: float = 0.383
    """policy's steps by which a swinging leg is told early."""
    place: tuple[float, float] = (1.42, 0.979)
    """Share of d that the next foot answers to, forward and to the side, and"""
    speed: tuple[float, float] = (0.519, 0.507)
    """of e."""
    follow: float = 0.496
    """Share of d that the foot that stands lets be."""
    ankle: tuple[float, float] = (0.358, 0.482)
    """rad/m, of the ankle that stands, pitch and roll, against d + e / ω."""
    pitch: tuple[float, float] = (0.707, 0.101)
    """rad of the hip that stands per rad and per rad/s of the body's pitch, and"""
    roll: tuple[float, float] = (1.42, 0.163)
    """of its roll."""
    lean: float = -0.0288
    """rad, forward."""
    yaw: float = 0.0756
    """rad of the hip that stands per rad/s of turning that was not asked for."""
    carry: float = 1.33
    """Share of what carries the body on one foot, and"""
    bear: float = -0.27
    """share of what waist and arms that are elsewhere weigh on the hips;"""
    over: float = 0.162
    """share of a step in which it goes from one to the other."""


class Walker(NamedTuple):
    """Of a robot on its feet; left and right.

    Attributes:
        feet: (2, 2) m, from the centre of mass to the ankles, forward and to the left.
        moves: (2, A, 2) m/rad, how they move when joints do.
        centre: (A, 2) m/rad, how the centre of mass moves in the body.
        answers: (2, 2, 6) rad/m, how a leg moves its foot on the floor without turning it.
        loads: (2, A) rad, what carries the body on this foot.
        bears: (A, 2) rad per rad, what hips, pitch and roll, bear of waist and arms elsewhere.
        height: m, of the centre of mass.
    """

    feet: Tensor
    moves: Tensor
    centre: Tensor
    answers: Tensor
    loads: Tensor
    bears: Tensor
    height: float


def walker(model: Model) -> Walker:
    """Of `model`, as `learning_model` has it."""
    physics, names = learning_model(model), joint_names(model)
    data = mujoco.MjData(physics)
    speed = [physics.joint(name).dofadr[0] for name in names]
    data.qpos[[physics.joint(name).qposadr[0] for name in names]] = model.path[-1]
    mujoco.mj_forward(physics, data)
    middle, size = data.subtree_com[1].copy(), physics.nv
    centre = np.zeros((3, size))
    mujoco.mj_jacSubtreeCom(physics, data, centre, 1)
    feet, moves, answers, loads = [], [], [], []
    for side, name in enumerate(SIDES):
        body = physics.body(f"{name}_ankle_roll_link").id
        ankle, place, turn, sole = data.xpos[body], np.zeros((3, size)), np.zeros((3, size)), np.zeros((3, size))
        mujoco.mj_jacBody(physics, data, place, turn, body)
        mujoco.mj_jac(physics, data, sole, None, ankle + SOLE_M, body)
        own = speed[LEG * side : LEG * (side + 1)]
        arm = middle - ankle
        height = arm[2] - SOLE_M[2]
        force = physics.body_mass.sum() * GRAVITY * np.array([0.0, arm[1] / height / 2, 1.0])
        feet.append(-arm[:2])
        moves.append((place - centre)[:2, speed].T)
        answers.append(np.linalg.inv(np.concatenate([place[:, own], turn[:, own]]))[:, :2].T)
        loads.append(((centre - sole).T @ force)[speed] / np.array(model.policy.kp))
    bears = physics.body_mass.sum() * GRAVITY / np.array(model.policy.kp[:2]) * centre[:2, speed].T * [1, -1]
    bears[: 2 * LEG] = 0.0
    parts = (
        torch.from_numpy(np.array(part)).float() for part in (feet, moves, centre[:2, speed].T, answers, loads, bears)
    )
    return Walker(*parts, height=float(height))


class Sensed(NamedTuple):
    """What a robot that walks knows of itself, and is asked for; N lanes.

    Attributes:
        gravity: (N, 2) its direction in the body's frame, forward and to the left.
        turning: (N, 3) rad/s.
        joints, speeds: (N, A) beside standing, rad; rad/s.
        asked: (N, 3) m/s forward, m/s to the left, rad/s.
        clock: (N, 1) rad; at 0 the left foot is in the middle of its swing.
    """

    gravity: Tensor
    turning: Tensor
    joints: Tensor
    speeds: Tensor
    asked: Tensor
    clock: Tensor


def walk(now: Sensed, robot: Walker, step_s: float, wish: Steps) -> Tensor:
    """(N, A) rad beside standing, in steps of `step_s`."""
    left_swings = now.clock.cos() >= 0
    share = torch.remainder(now.clock + math.pi / 2, math.pi) / math.pi  # of the step
    out = torch.where(left_swings, 1.0, -1.0)  # to the side of the foot that swings
    omega = math.sqrt(GRAVITY / robot.height)
    half = torch.cat([wish.stride * step_s * now.asked[:, :1] / 2, out * wish.width / 2], dim=1)
    orbit, pace = _orbit(half, share, omega, step_s)
    place, speed = _centre(now, robot, left_swings)
    heel = torch.cat([torch.zeros_like(share) + wish.ahead, torch.zeros_like(share)], dim=1)
    away, faster = place - heel - orbit, speed - pace
    early = share + wish.early / (RATE_HZ * step_s)
    moved = _smooth(early / wish.down)
    swung = _start(half) + moved * (
        _goal(half, away, faster / omega, omega * step_s * (1 - share), out, wish) - _start(half)
    )
    stood = -heel - orbit - wish.follow * (away + faster / RATE_HZ)
    turns = now.asked[:, 2:] * step_s
    level = _joints(yaw=turns * (moved - 0.5), ankle_pitch=-now.gravity[:, :1], ankle_roll=now.gravity[:, 1:])
    bears = wish.bear * now.joints @ robot.bears
    holds = _holds(now, away + faster / omega, wish) + _joints(
        pitch=bears[:, :1], roll=bears[:, 1:], yaw=turns * (0.5 - share)
    )
    lifted = wish.lift * torch.sin(math.pi * (early / LANDED).clamp(0, 1))
    shift, found = now.joints @ robot.centre, []
    for leg, swings in enumerate((left_swings, ~left_swings)):
        foot = torch.where(swings, swung, stood) + shift - robot.feet[leg]
        found.append(
            foot @ robot.answers[leg] + (wish.bent + swings * lifted) * BEND + torch.where(swings, level, holds)
        )
    rest = now.joints.shape[1] - 2 * LEG
    action = torch.cat([*found, torch.zeros(len(share), rest)], dim=1) + _loads(robot, share, left_swings, wish)
    return torch.minimum(torch.maximum(action, now.joints - LEAP), now.joints + LEAP)


def _centre(now: Sensed, robot: Walker, left_swings: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 2) where the centre of mass is from the ankle that stands, m, in a frame that is level, and its velocity."""
    found = []
    tilting = torch.stack([-now.turning[:, 1], now.turning[:, 0]], dim=1)
    for foot, moves in zip(robot.feet, robot.moves, strict=True):
        place = foot + now.joints @ moves - robot.height * now.gravity
        found.append((-place, -(now.speeds @ moves + robot.height * tilting)))
    (left, left_speed), (right, right_speed) = found
    return torch.where(left_swings, right, left), torch.where(left_swings, right_speed, left_speed)


def _orbit(half: Tensor, share: Tensor, omega: float, step_s: float) -> tuple[Tensor, Tensor]:
    """(N, 2) where the centre of mass is to be from the foot, m, and its velocity; `half` is where it is at the end."""
    since, most = omega * step_s * (share - 0.5), omega * step_s / 2
    sinh, cosh = since.sinh(), since.cosh()
    place = torch.cat([sinh / math.sinh(most), cosh / math.cosh(most)], dim=1)
    speed = omega * torch.cat([cosh / math.sinh(most), sinh / math.cosh(most)], dim=1)
    return half * place, half * speed


def _start(half: Tensor) -> Tensor:
    """(N, 2) where a foot leaves the floor, from below the centre of mass, m; `half` of a step."""
    return half * torch.tensor([-1.0, 1.0])


def _goal(half: Tensor, away: Tensor, faster: Tensor, rest: Tensor, out: Tensor, wish: Steps) -> Tensor:
    """(N, 2) where it comes down in `rest` (N, 1) / ω; `faster` is over ω."""
    caught = _pair(wish.place) * away * rest.sinh() + _pair(wish.speed) * faster * rest.cosh()
    forward, aside = (half + caught).split(1, dim=1)
    aside = out * (out * aside + wish.wider).clamp(NARROWEST_M, WIDEST_M)
    return torch.cat([(forward + wish.brake).clamp(-LONGEST_M, LONGEST_M), aside], dim=1)


def _holds(now: Sensed, falls: Tensor, wish: Steps) -> Tensor:
    """(N, 6) what the leg that stands does about the body's tilt and turning, and about where that `falls` (N, 2)."""
    pitch, roll = now.gravity[:, :1] - wish.lean, -now.gravity[:, 1:]
    return _joints(
        pitch=wish.pitch[0] * pitch + wish.pitch[1] * now.turning[:, 1:2],
        roll=wish.roll[0] * roll + wish.roll[1] * now.turning[:, :1],
        yaw=wish.yaw * (now.turning[:, 2:] - now.asked[:, 2:]),
        ankle_pitch=wish.ankle[0] * falls[:, :1],
        ankle_roll=-wish.ankle[1] * falls[:, 1:],
    )


def _loads(robot: Walker, share: Tensor, left_swings: Tensor, wish: Steps) -> Tensor:
    """(N, A) rad, what carries the body: at first on both feet, then on the one that stands."""
    both = 0.5 * (1 - (share / wish.over).clamp(0, 1))
    on_left = torch.where(left_swings, both, 1 - both)
    return wish.carry * (on_left * robot.loads[0] + (1 - on_left) * robot.loads[1])


def _joints(**moves: Tensor) -> Tensor:
    """(N, 6) of a leg, by the names of those that move (N, 1)."""
    nothing = torch.zeros_like(next(iter(moves.values())))
    return torch.cat([moves.get(name, nothing) for name in LEG_JOINTS], dim=1)


def _pair(numbers: tuple[float, float]) -> Tensor:
    return torch.tensor(numbers)


def _smooth(share: Tensor) -> Tensor:
    share = share.clamp(0, 1)
    return share * share * (3 - 2 * share)
