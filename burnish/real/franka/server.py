"""The Franka Control Interface of franky-sim, with what it leaves out: reflexes, aborted motions, recovery.

franky-sim answers libfranka's protocol on MuJoCo, but never refuses a command. Here every commanded position passes
`CommandWatch`, contact passes the thresholds that the client has set, and an error aborts the motion as the real robot
does: the arm is held, the state says why, and nothing moves until `automaticErrorRecovery`.
"""

from __future__ import annotations

import select
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from franky_sim.franka_robot_protocol import (
    AutomaticErrorRecoveryCommand,
    AutomaticErrorRecoveryStatus,
    MoveCommand,
    MoveCommandControllerMode,
    MoveStatus,
    RobotCommand,
    RobotMode,
    SetCartesianImpedanceCommand,
    SetCollisionBehaviorCommand,
    SetJointImpedanceCommand,
    UDPCommand,
)
from franky_sim.franka_robot_server import FrankaRobotServer
from franky_sim.franka_robot_state import FrankaRobotState
from franky_sim.franka_server import BaseCommand
from franky_sim.mujoco_simulator import FrankaMujocoRobot

from burnish.fr3 import CARTESIAN_STIFFNESS_RANGE, JOINT_STIFFNESS_RANGE
from burnish.real.franka.impedance import CartesianImpedance, Controller, JointImpedance, Tool
from burnish.real.franka.reflexes import ERRORS, CommandWatch

NOT_NOW, INVALID = 1, 2
"""Answers to a command that sets something: not while it moves, and not this value."""
CONTACT_CYCLES = 5
"""External torque above its threshold for so long is a collision, not the jolt of a touch."""


class Arm(FrankaMujocoRobot):
    """An arm whose impedance controllers follow moving set points without lag, as the real ones do, and says quickly
    what it measures: franky-sim's state takes longer to make than the millisecond it is for.

    Attributes:
        joint, cartesian: its controllers; `control` is the one at work.
        external: (7,) torque by contact and pushes, N·m.
        push: (3,) N, base frame, by which somebody pushes at the tool.
    """

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # pyright: ignore[reportArgumentType]
        inner: Any = self
        self.tool = Tool(inner._BaseRobot__model, inner._BaseRobot__tcp_frame_id)
        self.joint, self.cartesian = JointImpedance(), CartesianImpedance(self.tool)
        self.control: Controller = self.joint
        self.external, self.ticks, self.stuck = np.zeros(7), 0, False
        self.push: np.ndarray = np.zeros(3)
        self.q_d, self._pushed = np.array(self.initial_q), np.zeros(7)
        self.dq_d, self.ddq_d = np.zeros(7), np.zeros(7)

    def joint_position_control(self, target_q: np.ndarray, has_new_command: bool = True) -> None:
        """Towards the set point, its velocity fed forward."""
        target, before = np.asarray(target_q, float), self.dq_d
        self.dq_d = (target - self.q_d) / 1e-3
        self.ddq_d, self.q_d = (self.dq_d - before) / 1e-3, target
        data, dofs = self._data, self._dof_addrs
        assert data is not None
        q, dq = data.qpos[self._qpos_addrs], data.qvel[dofs]
        torque = self.control.torque(q, dq, target, self.dq_d)
        # What MuJoCo calls bias is gravity, Coriolis and centrifugal forces: the real controller compensates them.
        self._torque_control(torque + data.qfrc_bias[dofs] - data.qfrc_passive[dofs])
        self._pushed = self.tool.jacobian(q)[:3].T @ self.push if self.push.any() else np.zeros(7)
        data.qfrc_applied[dofs] += self._pushed

    def place(self, joints: np.ndarray) -> None:
        """At rest at `joints`, rad."""
        assert self._data is not None
        self._data.qpos[self._qpos_addrs], self._data.qvel[self._dof_addrs] = joints, 0
        self.q_d, self.dq_d, self.ddq_d = joints.copy(), np.zeros(7), np.zeros(7)
        self.stuck = False

    def open(self, width: float) -> None:
        """The fingers are `width` apart, m, at once."""
        assert self._data is not None
        self._data.qpos[self._finger_qpos_addrs], self._data.qvel[self._finger_dof_addrs] = width / 2, 0
        self.set_hand_goal(width, 0.1, 70.0)

    def set_hand_goal(self, width: float, max_velocity: float, max_force: float) -> None:
        """Where the fingers should go; stuck ones stay."""
        super().set_hand_goal(self.hand_width if self.stuck else width, max_velocity, max_force)

    def _post_step(self) -> None:
        self.ticks += 1
        assert self._data is not None
        self.external = self._data.qfrc_constraint[self._dof_addrs] + self._pushed

    @property
    def state(self) -> FrankaRobotState:
        """What libfranka reads, without derivatives of poses that nothing here reads."""
        data = self._data
        q, dq = (self.q_d, np.zeros(7)) if data is None else (data.qpos[self._qpos_addrs], data.qvel[self._dof_addrs])
        placed = self.to_franka_pose(self.kinematics(q))
        wanted = self.to_franka_pose(self.kinematics(self.q_d))
        return FrankaRobotState(
            q=tuple(q),
            dq=tuple(dq),
            q_d=tuple(self.q_d),
            dq_d=tuple(self.dq_d),
            ddq_d=tuple(self.ddq_d),
            tau_J=tuple(self._applied_torques),
            tau_J_d=tuple(self._applied_torques),
            tau_ext_hat_filtered=tuple(self.external),
            O_T_EE=placed,
            O_T_EE_d=wanted,
            O_T_EE_c=wanted,
            m_ee=self.robot_parameters.ee_mass,
            m_load=self.m_load,
            elbow=(q[2], np.sign(q[3])),
            elbow_d=(self.q_d[2], np.sign(self.q_d[3])),
            elbow_c=(self.q_d[2], np.sign(self.q_d[3])),
            control_command_success_rate=1.0,
        )


class Interface(FrankaRobotServer):
    """The robot's side of the protocol, with reflexes.

    Attributes:
        error: the one that stopped it, until recovery.
        user_stop: whether the emergency stop is pressed.
        lost: share of packets, either way, that the network loses.
        silent: whether it says and hears nothing at all.
    """

    def __init__(self, robot: Arm, hostnames: Iterable[str], patience_s: float) -> None:
        super().__init__(robot, hostnames)
        self._patience_s = patience_s
        self.arm, self.watch, self.error = robot, CommandWatch(), ""
        self.user_stop, self.lost, self.silent = False, 0.0, False
        self.counts: Counter[str] = Counter()
        self._chance = np.random.default_rng(0)
        self._threshold, self._strained, self._command = np.full(7, np.inf), 0, None
        handlers = self._FrankaServer__command_class_map  # pyright: ignore[reportAttributeAccessIssue]
        handlers[RobotCommand.kMove] = _Move
        handlers[RobotCommand.kAutomaticErrorRecovery] = _Recovery
        handlers[RobotCommand.kSetCollisionBehavior] = _CollisionBehavior
        handlers[RobotCommand.kSetJointImpedance] = _Stiffness
        handlers[RobotCommand.kSetCartesianImpedance] = _CartesianStiffness

    @property
    def robot_state(self) -> FrankaRobotState:
        """With the errors that hold it."""
        state = super().robot_state
        if self.user_stop:
            return state.replace(robot_mode=RobotMode.kUserStopped)
        if not self.error:
            return state
        raised = tuple(place == ERRORS[self.error] for place in range(41))
        return state.replace(robot_mode=RobotMode.kReflex, errors=raised, reflex_reason=raised)

    def hold_here(self) -> None:
        """Nobody commands it, and it was moved: it stays where it is now."""
        self._FrankaRobotServer__holding_q = tuple(self.arm.q_d)

    def stop_by(self, error: str, status: MoveStatus = MoveStatus.kReflexAborted) -> None:
        """Abort the motion under way, hold, and remember why."""
        self.error = error
        motion = self.current_motion_id
        self.stop_motion(send_preemption_signal=False)
        self.reset_current_motion_id()
        if motion and self.tcp_connected:
            BaseCommand.send_response(self._tcp_socket, RobotCommand.kMove, motion, status)  # pyright: ignore

    def threshold(self, upper: Sequence[float]) -> None:
        """Torques by contact, N·m, above which it stops."""
        self._threshold = np.array(upper)

    def start_motion(self, controller_mode: MoveCommandControllerMode, *modes: Any) -> None:
        """A motion begins where the set point is, not where the arm sags to."""
        super().start_motion(controller_mode, *modes)
        soft = controller_mode == MoveCommandControllerMode.kCartesianImpedance
        self.arm.control = self.arm.cartesian if soft else self.arm.joint
        self._FrankaRobotServer__current_control_command = UDPCommand(q_c=tuple(self.arm.q_d))
        self.watch.start(self.arm.q_d.copy())

    def stop_motion(self, send_preemption_signal: bool = True) -> None:
        """Without a motion it is held at its joints."""
        super().stop_motion(send_preemption_signal)
        self.arm.control = self.arm.joint

    def _reset_state(self) -> None:
        """A client is gone, or a new one there: likewise."""
        super()._reset_state()
        self.arm.control = self.arm.joint

    def process_commands(self) -> None:
        """One millisecond's."""
        self._command = None
        if self.silent:
            self._post_process_commands()
            return
        if self.current_motion_id and self._patience_s:
            select.select([self._FrankaServer__udp_socket], [], [], self._patience_s)  # pyright: ignore
        if self.tcp_connected:
            self._refuse_another()
        super().process_commands()

    def _refuse_another(self) -> None:
        """One client at a time."""
        try:
            self._FrankaServer__server_socket.accept()[0].close()  # pyright: ignore[reportAttributeAccessIssue]
        except BlockingIOError:
            return

    def send_state(self) -> None:
        """Unless the network loses it."""
        if self.silent:
            return
        if self._chance.random() >= self.lost:
            super().send_state()
        else:
            self._FrankaServer__message_id += 1  # pyright: ignore[reportAttributeAccessIssue]

    def _handle_udp_command(self, command_data: bytes) -> None:
        if self._chance.random() < self.lost:
            return
        self._command = UDPCommand.from_bytes(command_data)
        super()._handle_udp_command(command_data)

    def _post_process_commands(self) -> None:
        if self.current_motion_id:
            self._look()
        super()._post_process_commands()

    def _look(self) -> None:
        self.counts["cycles"] += 1
        if self._command is None:
            self.counts["lost"] += 1
            error = self.watch.lost()
        else:
            error = self.watch.see(np.array(self._command.q_c), self._command.message_id)
        strained = (np.abs(self.arm.external) > self._threshold).any()
        self._strained = self._strained + 1 if strained else 0
        if self._strained > CONTACT_CYCLES:
            error = "joint_reflex"
        if error:
            self.stop_by(error)


class _Move(MoveCommand):
    def handle(self, server: Interface) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if server.error or server.user_stop:
            self.reply(MoveStatus.kCommandNotPossibleRejected)
            return
        soft = self.controller_mode == MoveCommandControllerMode.kCartesianImpedance
        if soft and server.arm.tool.singular(server.arm.q_d):
            self.reply(MoveStatus.kStartAtSingularPoseRejected)
            return
        super().handle(server)


class _Stiffness(SetJointImpedanceCommand):
    def handle(self, server: Interface) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.reply(_set(server, server.arm.joint, self.K_theta, JOINT_STIFFNESS_RANGE))


class _CartesianStiffness(SetCartesianImpedanceCommand):
    def handle(self, server: Interface) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.reply(_set(server, server.arm.cartesian, self.K_x, CARTESIAN_STIFFNESS_RANGE))


def _set(
    server: Interface, control: JointImpedance | CartesianImpedance, stiffness: Sequence[float], allowed: Any
) -> int:
    """The answer, after `control` was set if it may be."""
    if server.current_motion_id:
        return NOT_NOW
    if not ((stiffness >= np.array(allowed[0])) & (stiffness <= np.array(allowed[1]))).all():  # NaN too
        return INVALID
    control.set(stiffness)
    return 0


class _Recovery(AutomaticErrorRecoveryCommand):
    def handle(self, server: Interface) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if server.user_stop:
            self.reply(AutomaticErrorRecoveryStatus.kCommandNotPossibleRejected)
            return
        server.error = ""
        super().handle(server)


class _CollisionBehavior(SetCollisionBehaviorCommand):
    def handle(self, server: Interface) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        server.threshold(self.upper_torque_thresholds_nominal)
        super().handle(server)
