"""Robosuite 1.4's operational space controller (Khatib 1987), step by step the same numbers at a third of the price.

Robosuite computes MuJoCo's forward dynamics three times per 2 ms step; here `mj_step1` is followed by the torques
and `mj_step2`. A test compares trajectories with LIBERO's own environment, bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from burnish.sim.libero.quiet import quiet

with quiet():
    from robosuite.utils.control_utils import (
        nullspace_torques,
        opspace_matrices,
        orientation_error,
        set_goal_orientation,
    )
    from robosuite.utils.numba import jit_decorator

MAX_MOVE_M, MAX_TURN_RAD = 0.05, 0.5
"""Displacement and rotation that an action of 1 commands."""
GRIPPER_SPEED = 0.01
"""Change of the fingers' command per 2 ms step, as a share of half its range."""
_SCALE = np.array([MAX_MOVE_M] * 3 + [MAX_TURN_RAD] * 3)
_FINGERS = np.array([-1.0, 1.0])


@dataclass
class Memory:
    """What the controller remembers between steps: its goal, the fingers' command, and whether it was just reset."""

    position: np.ndarray
    rotation: np.ndarray
    fingers: np.ndarray
    fresh: bool = True

    def copy(self) -> Memory:
        """An independent copy."""
        return Memory(self.position.copy(), self.rotation.copy(), self.fingers.copy(), self.fresh)


class OperationalSpace:
    """Torques of one arm. Shared by all lanes of a task: what belongs to an episode is in its `Memory`."""

    def __init__(self, robot: Any, model: mujoco.MjModel) -> None:
        """`robot`: robosuite's, just reset; its controller's first reading is kept (see `torques`)."""
        controller = robot.controller
        self._model, self.site = model, robot.eef_site_id
        self._arm, self._joints = _span(controller.qvel_index), _span(controller.qpos_index)
        self._kp, self._kd = controller.kp, controller.kd
        self._rest = np.array(controller.initial_joint)
        self._low, self._high = (np.array(limit) for limit in robot.torque_limits)
        self._motors = np.array(robot._ref_joint_actuator_indexes)
        self._fingers = np.array(robot._ref_joint_gripper_actuator_indexes)
        reach = model.actuator_ctrlrange[self._fingers]
        self._middle, self._half = 0.5 * (reach[:, 1] + reach[:, 0]), 0.5 * (reach[:, 1] - reach[:, 0])
        self._jacp, self._jacr = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        self._mass = np.zeros((model.nv, model.nv))
        self.start = Memory(np.array(controller.goal_pos), np.array(controller.goal_ori), np.zeros(2))
        self._first = (
            controller.ee_pos,
            controller.ee_ori_mat,
            controller.ee_pos_vel,
            controller.ee_ori_vel,
            controller.J_pos,
            controller.J_ori,
            controller.mass_matrix,
            controller.joint_pos,
            controller.joint_vel,
        )

    def aim(self, memory: Memory, reading: tuple[np.ndarray, ...], action: np.ndarray) -> None:
        """A new action (7,): the goal becomes the present pose plus the commanded displacement and rotation."""
        delta = np.clip(action[:6], -1, 1) * _SCALE
        position, rotation = reading[:2]
        memory.position = position + delta[:3]
        # As robosuite: a rotation of zero keeps the old goal instead of the present orientation.
        if (np.abs(delta[3:]) > 0).any():
            memory.rotation = set_goal_orientation(delta[3:], rotation)

    def read(self, memory: Memory, data: mujoco.MjData) -> tuple[np.ndarray, ...]:
        """Position, rotation, velocities, Jacobians and mass matrix, after `mj_step1`.

        Robosuite's controller goes by what it read at the reset, before the init state was set, in the first 2 ms
        of an episode; so does this one.
        """
        if memory.fresh:
            memory.fresh = False
            return self._first
        model, arm = self._model, self._arm
        mujoco.mj_jacSite(model, data, self._jacp, self._jacr, self.site)
        mujoco.mj_fullM(model, data, self._mass)
        # The memory layout decides the last bit of the products: it is robosuite's.
        return (
            data.site_xpos[self.site].copy(),
            data.site_xmat[self.site].reshape(3, 3).copy(),
            np.dot(self._jacp, data.qvel),
            np.dot(self._jacr, data.qvel),
            np.asfortranarray(self._jacp[:, arm]),
            np.asfortranarray(self._jacr[:, arm]),
            np.asfortranarray(self._mass[arm, arm]),
            data.qpos[self._joints].copy(),
            data.qvel[arm].copy(),
        )

    def drive(self, memory: Memory, data: mujoco.MjData, reading: tuple[np.ndarray, ...], grip: np.ndarray) -> None:
        """Write torques and finger commands for the next 2 ms into `data.ctrl`. `grip` (1,): -1 opens, 1 closes."""
        own = (self._kp, self._kd, self._rest, data.qfrc_bias[self._arm])
        torques = _torques(memory.position, memory.rotation, *reading, *own)  # pyright: ignore[reportCallIssue]
        memory.fingers = _clip(memory.fingers + _FINGERS * GRIPPER_SPEED * np.sign(grip), -1.0, 1.0)
        data.ctrl[self._fingers] = self._middle + self._half * memory.fingers
        data.ctrl[self._motors] = _clip(torques, self._low, self._high)


@jit_decorator
def _torques(
    goal_position,
    goal_rotation,
    position,
    rotation,
    velocity,
    spin,
    jacp,
    jacr,
    mass,
    joints,
    speeds,
    kp,
    kd,
    rest,
    bias,
):
    force = (goal_position - position) * kp[:3] + -velocity * kd[:3]
    torque = orientation_error(goal_rotation, rotation) * kp[3:] + -spin * kd[3:]
    jacobian = np.vstack((jacp, jacr))
    _, along, around, null = opspace_matrices(mass, jacobian, jacp, jacr)
    wrench = np.concatenate((np.dot(along, force), np.dot(around, torque)))
    torques = np.dot(jacobian.T, wrench) + bias
    return torques + nullspace_torques(mass, null, rest, joints, speeds)


def _clip(values: np.ndarray, low: Any, high: Any) -> np.ndarray:
    return np.minimum(np.maximum(values, low), high)


def _span(indices: Any) -> slice:
    """Consecutive `indices` as a slice: a view instead of a gather."""
    return slice(int(indices[0]), int(indices[-1]) + 1)
