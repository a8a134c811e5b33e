"""Franka Research 3 over its control interface (libfranka's protocol, by pylibfranka) at 1 kHz.

One of the robot's own impedance controllers, of its joints or of its tool, follows a jerk-limited stream of joint
positions; `Safety` makes the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from burnish.errors import BurnishError
from burnish.fr3 import (
    CARTESIAN_STIFFNESS,
    CARTESIAN_STIFFNESS_RANGE,
    JOINT_STIFFNESS,
    JOINT_STIFFNESS_RANGE,
    LIMITS,
    contract,
)
from burnish.real.base import Robot, RobotError, RobotSpec, Setpoint, State
from burnish.real.energy import EnergyTank
from burnish.real.franka.body import FrankaBody
from burnish.real.franka.hand import Hand
from burnish.real.franka.tank import CartesianTank

DAMPING = (30.0, 30.0, 30.0, 30.0, 15.0, 15.0, 15.0)
"""N·m·s/rad."""
TANK_J = 4.0
"""As much as a kilogram falling 40 cm."""


SPEC = RobotSpec("franka", contract(), LIMITS, smooth=True, halt="held")


@dataclass(frozen=True)
class FrankaConfig:
    """How a Franka Research 3 is reached."""

    address: str = "172.16.0.2"
    """Host name or IP address of the robot's control unit."""
    realtime: bool = False
    """Insist on a real-time kernel and scheduling, as the manufacturer advises for hardware."""
    impedance: Literal["joint", "cartesian"] = "joint"
    """Which of its controllers follows: joint holds every joint, cartesian the tool, as softly as it is told to."""
    stiffness: tuple[float, float, float, float, float, float, float] = JOINT_STIFFNESS
    """Of the joint impedance controller, N·m/rad."""
    cartesian_stiffness: tuple[float, float, float, float, float, float] = CARTESIAN_STIFFNESS
    """Of the Cartesian one: N/m along the tool's own x, y, z (10 … 3000) and N·m/rad about them (1 … 300)."""
    contact_torque: tuple[float, float, float, float, float, float, float] = (20.0, 20.0, 18.0, 18.0, 16.0, 14.0, 12.0)
    """External torque per joint at which the robot stops by itself, N·m."""
    contact_force: tuple[float, float, float, float, float, float] = (20.0, 20.0, 20.0, 25.0, 25.0, 25.0)
    """External force (x, y, z, N) and torque (N·m) at the hand at which the robot stops by itself."""
    gripper: bool = True
    """Whether a Franka Hand is mounted."""

    def __post_init__(self) -> None:
        _within("stiffness", self.stiffness, JOINT_STIFFNESS_RANGE)
        _within("cartesian_stiffness", self.cartesian_stiffness, CARTESIAN_STIFFNESS_RANGE)

    @property
    def soft(self) -> bool:
        """Whether the Cartesian controller is at work."""
        return self.impedance == "cartesian"


class Franka(Robot):
    """Reads and writes in the robot's own millisecond."""

    Config = FrankaConfig

    def __init__(self, config: FrankaConfig) -> None:
        self.config, self.spec, self.body = config, SPEC, FrankaBody()
        self._robot: Any = None
        self._control: Any = None
        self._hand: Hand | None = None
        self._fault, self._time_s = "", 0.0

    def tank(self) -> EnergyTank:
        """Fed by the controller's damping, which is critical for about a kilogram square metre per joint."""
        if self.config.soft:
            return CartesianTank(self.config.cartesian_stiffness, TANK_J)
        return EnergyTank(self.config.stiffness, DAMPING, TANK_J)

    def connect(self) -> State:
        """Reach the robot and begin to hold it. Nothing moves."""
        import pylibfranka as franka

        address, config = self.config.address, self.config
        wish = franka.RealtimeConfig.kEnforce if config.realtime else franka.RealtimeConfig.kIgnore
        try:
            self._robot = franka.Robot(address, wish)
            self._ready(self._robot.read_once())
            torque, force = list(config.contact_torque), list(config.contact_force)
            self._robot.set_collision_behavior(torque, torque, force, force)
            self._robot.set_joint_impedance(list(config.stiffness))
            self._robot.set_cartesian_impedance(list(config.cartesian_stiffness))
            self._hand = Hand(address) if config.gripper else None
            self._take()
            return self.read()
        except _errors() as error:
            self.close()
            raise RobotError(f"franka at {address}: {_advice(str(error))}") from error

    def read(self) -> State:
        """The next millisecond's state."""
        import pylibfranka as franka

        if self._control is None:
            state = self._once()
        else:
            try:
                state, passed = self._control.readOnce()
                self._time_s += passed.to_sec()
            except franka.ControlException as error:
                self._release(str(error))
                state = self._once()
            except _errors() as error:
                raise RobotError(f"franka at {self.config.address}: {_advice(str(error))}") from error
        return self._state(state)

    def write(self, setpoint: Setpoint) -> None:
        """The joint positions of this millisecond; a halted arm is held by the set point that stands."""
        import pylibfranka as franka

        if self._control is None:
            return
        values = setpoint.values.tolist()
        try:
            self._control.writeOnce(franka.JointPositions(values[:7]))
        except franka.ControlException as error:
            self._release(str(error))
        except _errors() as error:
            raise RobotError(f"franka at {self.config.address}: {_advice(str(error))}") from error
        if self._hand is not None:
            self._hand.want(values[7], halted=setpoint.halted)

    def recover(self) -> None:
        """Clear the errors and hold the arm again. Raises `RobotError` while the emergency stop is pressed."""
        import pylibfranka as franka

        if self._hand is not None:
            self._hand.recover()
        if self._control is not None:  # it was halted from here, and is held all the time
            return
        try:
            state = self._robot.read_once()
            if state.robot_mode == franka.RobotMode.Reflex:
                self._robot.automatic_error_recovery()
                state = self._robot.read_once()
            self._ready(state)
            self._take()
        except _errors() as error:
            raise RobotError(f"franka at {self.config.address}: {_advice(str(error))}") from error

    def close(self) -> None:
        """Stop where it is."""

        if self._hand is not None:
            self._hand.close()
        self._control, self._hand = None, None
        if self._robot is not None:
            robot, self._robot = self._robot, None
            try:
                robot.stop()
            except _errors():  # the line is gone, and with it the motion
                return

    def _take(self) -> None:
        import pylibfranka as franka

        modes = franka.ControllerMode
        self._control = self._robot.start_joint_position_control(
            modes.CartesianImpedance if self.config.soft else modes.JointImpedance
        )
        self._fault = ""

    def _release(self, reason: str) -> None:
        """The robot ended the motion; what it says is a fault until `recover`."""
        self._control, self._fault = None, f"the robot stopped by itself: {reason.removeprefix('libfranka: ')}"

    def _once(self) -> Any:
        try:
            state = self._robot.read_once()
        except _errors() as error:
            raise RobotError(f"franka at {self.config.address}: {_advice(str(error))}") from error
        self._time_s += 1e-3
        return state

    def _ready(self, state: Any) -> None:
        """Raise `RobotError` unless the robot can be commanded."""
        import pylibfranka as franka

        mode = state.robot_mode
        if mode == franka.RobotMode.Reflex:
            self._robot.automatic_error_recovery()
        elif mode != franka.RobotMode.Idle:
            raise RobotError(f"franka at {self.config.address} is {_MODES.get(mode.name, mode.name)}")

    def _values(self, state: Any, width: float) -> np.ndarray:
        """As `observation.state` of the contract says."""
        return np.array([*state.q, *state.dq, width])

    def _state(self, state: Any) -> State:
        width = 0.0 if self._hand is None else self._hand.width
        stuck = "" if self._hand is None else self._hand.fault
        return State(
            time_s=self._time_s,
            values=self._values(state, width),
            measured=np.array([*state.q, width]),
            effort=np.array([*state.tau_J, np.nan]),
            fault=self._fault or stuck,
            reference=np.array([*state.q_d, width]),
        )


_MODES = {
    "UserStopped": "stopped by its emergency stop; release it, then try again",
    "Guiding": "being guided by hand; let go of the buttons, then try again",
    "Move": "commanded by somebody else; end that program first",
    "Other": "not activated; unlock the joints in Desk, then try again",
}


def _within(name: str, stiffness: Sequence[float], allowed: tuple[Sequence[float], Sequence[float]]) -> None:
    """Raise `BurnishError` for what the robot would refuse."""
    if len(stiffness) != len(allowed[0]):
        raise BurnishError(f"robot franka: {name} of {len(stiffness)} numbers; the robot takes {len(allowed[0])}")
    for place, (value, low, high) in enumerate(zip(stiffness, *allowed, strict=True)):
        if not low <= value <= high:
            raise BurnishError(f"robot franka: {name} {place + 1} is {value:g}; the robot takes {low:g} … {high:g}")


def _errors() -> tuple[type[Exception], ...]:
    """What pylibfranka raises; in Python these share no base class."""
    import pylibfranka as franka

    names = ("CommandException", "ControlException", "InvalidOperationException", "NetworkException")
    return tuple(getattr(franka, name) for name in (*names, "RealtimeException", "FrankaException"))


def _advice(said: str) -> str:
    """libfranka's message, with the way out."""
    plain = said.removeprefix("libfranka: ")
    for part, advice in (
        (
            "Connection to FCI refused",
            "no robot answers there, or its FCI is off: check --address, activate FCI in Desk",
        ),
        ("got interrupted", "it hung up: somebody else commands it, or it was switched off"),
        ("Timeout", "the line to the robot is cut; check the cable, then start again"),
        (
            "Incompatible library version",
            "its system speaks another version of the protocol; install the pylibfranka for it",
        ),
        ("singular pose", "move the arm off it by hand, or leave out --robot.impedance cartesian"),
        ("real-time", "this kernel is not a real-time one; use one, or leave out --robot.realtime"),
        ("realtime", "this kernel is not a real-time one; use one, or leave out --robot.realtime"),
    ):
        if part in plain:
            return f"{plain} ({advice})"
    return plain
