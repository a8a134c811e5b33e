"""How a robot on its feet moves about its standing pose: the simulator's own linearisation, to design from."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np

from burnish.sim.unitree.model import joint_names, learning_model
from burnish.sim.unitree.world import TICKS
from burnish.unitree import Model

NUDGE = 1e-6
"""Of every number, to see what it changes."""


class Line(NamedTuple):
    """x' = a x + b u, y = measured x: small differences to standing, a policy's step apart.

    Attributes:
        a: (X, X); x is height, two tilts and joints (rad), then all speeds. Where it is on the floor does not matter.
        b: (X, A) of actions, rad.
        measured: (5 + 2A, X) gravity x and y, angular velocity, joints and their speeds.
        centre: (4, X) how far the centre of mass is from the middle of the feet, m, and its speed.
        angles, tilts, speeds: where in x the joints and the tilts are, and the speeds begin.
        hold: (A,) rad, the action on which it stands.
        seen: (5 + 2A,) what it measures then.
    """

    a: np.ndarray
    b: np.ndarray
    measured: np.ndarray
    centre: np.ndarray
    angles: list[int]
    tilts: list[int]
    speeds: int
    hold: np.ndarray
    seen: np.ndarray


def linearised(model: Model) -> Line:
    """Of `model` on its feet, where `learning_model` has it."""
    physics = learning_model(model)
    physics.dof_frictionloss[:] = 0  # it has no slope where a joint rests
    data, names = mujoco.MjData(physics), joint_names(model)
    place = np.array([physics.joint(name).qposadr[0] for name in names])
    speed = np.array([physics.joint(name).dofadr[0] for name in names])
    torque = _stand(physics, data, place, np.array(model.path[-1]))[speed]
    data.ctrl[:] = np.array(model.path[-1]) + torque / np.array(model.policy.kp)
    mujoco.mj_forward(physics, data)
    nv = physics.nv
    kept = [*range(2, 5), *range(6, 2 * nv)]
    where = {number: index for index, number in enumerate(kept)}
    a, b = _step(physics, data)
    w, x, y, z = data.qpos[3:7]
    gravity = (2 * (w * y - x * z), -2 * (w * x + y * z))
    apart = _centre(physics, data)
    centre, measured = np.zeros((4, 2 * nv)), np.zeros((5 + 2 * len(names), 2 * nv))
    centre[:2, :nv] = centre[2:, nv:] = apart
    measured[0, 4], measured[1, 3] = 1.0, -1.0  # how gravity's direction turns when the body does
    measured[np.arange(2, len(measured)), [*range(nv + 3, nv + 6), *speed, *(nv + speed)]] = 1.0
    return Line(
        a[np.ix_(kept, kept)],
        b[kept],
        measured[:, kept],
        centre[:, kept],
        angles=[where[number] for number in speed],
        tilts=[where[3], where[4]],
        speeds=where[nv],
        hold=data.ctrl.copy(),
        seen=np.concatenate([gravity, np.zeros(3), data.qpos[place], np.zeros(len(names))]),
    )


def _step(physics: mujoco.MjModel, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
    """(2 nv, 2 nv) and (2 nv, A): what a policy's step makes of a difference, and of an action."""
    size = 2 * physics.nv
    tick, given = np.zeros((size, size)), np.zeros((size, physics.nu))
    mujoco.mjd_transitionFD(physics, data, NUDGE, True, tick, given, None, None)
    step, acted = np.eye(size), np.zeros_like(given)
    for _ in range(TICKS):
        step, acted = tick @ step, tick @ acted + given
    return step, acted


def _stand(physics: mujoco.MjModel, data: mujoco.MjData, place: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Put it where the floor carries it in `pose`; the forces (nv,) that hold it there. Newton's method on its height
    and its tilts, whose forces are to vanish."""
    data.qpos[place], data.qpos[2] = pose, 1.0
    mujoco.mj_forward(physics, data)
    balls = physics.geom_type == mujoco.mjtGeom.mjGEOM_SPHERE
    found = np.array([1.0 - (data.geom_xpos[balls, 2] - physics.geom_size[balls, 0]).min() - 0.0005, 0.0, 0.0])

    def forces(at: np.ndarray) -> np.ndarray:
        data.qpos[2] = at[0]
        mujoco.mju_euler2Quat(data.qpos[3:7], np.array([at[1], at[2], 0.0]), "xyz")
        mujoco.mj_forward(physics, data)
        data.qacc[:] = 0
        mujoco.mj_inverse(physics, data)
        return data.qfrc_inverse.copy()

    for _ in range(20):
        now = forces(found)[2:5]
        slope = np.stack([(forces(found + nudge)[2:5] - now) for nudge in 1e-7 * np.eye(3)], axis=1) / 1e-7
        step = np.linalg.lstsq(slope, -now, rcond=None)[0]
        found = found + step * min(1.0, float(np.min([3e-4, 5e-3, 5e-3] / np.maximum(np.abs(step), 1e-12))))
    return forces(found)


def _centre(physics: mujoco.MjModel, data: mujoco.MjData) -> np.ndarray:
    """(2, nv) how the centre of mass moves on the floor beside the middle of what it stands on."""
    whole, part = np.zeros((3, physics.nv)), np.zeros((3, physics.nv))
    mujoco.mj_jacSubtreeCom(physics, data, whole, 1)
    feet = {int(geom) for contact in data.contact for geom in contact.geom if physics.geom_bodyid[geom]}
    for geom in feet:
        mujoco.mj_jacGeom(physics, data, part, None, geom)
        whole -= part / len(feet)
    return whole[:2]
