"""Unitree's legged robots, motor by motor over DDS.

`connect` makes sure that this is the robot, well, and commanded by nobody else; `stand` brings it to its standing pose;
then `read` and `write` go in turn at 500 Hz. A halted robot is damped: no stiffness, and so much damping that it sinks.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from burnish import gait, tracking
from burnish.contract import ENVIRONMENT_STATE
from burnish.errors import BurnishError
from burnish.quintic import least_jerk
from burnish.ranges import outside
from burnish.real.base import Robot, RobotError, RobotSpec, Setpoint, State
from burnish.real.unitree.checks import is_free, is_that_model, too_empty
from burnish.real.unitree.dds import Line
from burnish.real.unitree.link import COMMAND, Command, StateLink
from burnish.real.unitree.senses import Senses
from burnish.unitree import CYCLE_HZ, G1, GO2, Gains, Model, contract

FOUND_S = 3.0
OBEY_CYCLES = 50
"""Motors that do not obey for so long have a fault."""
REACHED_RAD = 0.35
REST_S, DAMP_S = 1.5, 0.5


@dataclass(frozen=True)
class UnitreeConfig:
    """How to reach the robot."""

    address: str = "lo"
    """The network interface in the robot's network, e.g. "enp3s0"; "lo" for a simulated robot."""
    domain: int = 0
    """DDS domain; Unitree's robots are in 0."""
    release: bool = False
    """Take the motors from the robot's own motion service. The robot goes limp then: a Go2 must lie, a G1 must hang."""
    silence: float = 0.1
    """Longest time without LowState, s; then the line counts as lost, and the robot is damped."""
    battery: int = 20
    """Least charge to start with, %. Only the Go2 tells its charge here."""
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """What a policy that walks is asked for: m/s forward, m/s to the left, rad/s to the left."""
    clip: str = ""
    """What a policy that follows a clip does with its arms: a name ("greet"), or a CSV file."""
    strap: bool = False
    """With --sim, a G1 keeps its strap; otherwise that comes off when the policy begins."""
    force: bool = False
    """Ask for a velocity or a clip that the policy was not trained for."""

    def __post_init__(self) -> None:
        if not all(math.isfinite(part) for part in self.velocity):
            raise BurnishError(f"unitree: velocity must be three finite numbers, is {self.velocity}")


class Unitree(Robot):
    """Of any model.

    Attributes:
        strap: what takes it off a simulated robot that has one.
        link: what came from the robot, with its losses.
        command: what goes to it.
    """

    Config = UnitreeConfig
    prepares = True
    model: ClassVar[Model]
    strap: ClassVar[str] = ""
    link: StateLink
    command: Command

    def __init__(self, config: UnitreeConfig) -> None:
        self.config, self.spec = config, robot_spec(self.model)
        self._senses = Senses(self.model)
        self._damped, self._fault, self._open = False, "", False

    @classmethod
    def unsuited(cls, config: UnitreeConfig, trained: Mapping[str, tuple[float, float]]) -> str:
        """By how much what is asked for lies outside what was trained; "" if `config.force`."""
        follows = not trained.keys().isdisjoint(tracking.units(cls.model))
        if follows != bool(config.clip):
            wish = "--robot.clip NAME or FILE.csv" if follows else f"no --robot.clip {config.clip}"
            raise BurnishError(f"the policy follows {'a' if follows else 'no'} clip: give {wish}")
        if follows and gait.VELOCITY[0] in trained and not any(config.velocity):
            raise BurnishError("the policy walks while it follows a clip: give --robot.velocity, e.g. 0.2 0 0")
        if config.force:
            return ""
        if any(config.velocity) and not trained.keys() & {*gait.VELOCITY}:
            return f"it is told no velocity, and {config.velocity} is asked for"
        wrong = [outside(dict(zip(gait.VELOCITY, config.velocity, strict=True)), trained, gait.UNITS)]
        if follows:
            wrong.append(tracking.Reference(cls.model, config.clip).unlike(trained))
        return "; ".join(filter(None, wrong))

    @classmethod
    def senses(cls, config: UnitreeConfig) -> dict[str, Callable[[], np.ndarray]]:
        """Where to go and a gait's clock, the clip's joints, or both: where a clip is followed on the way."""
        walks = gait.Gait(config.velocity, cls.model.steps_hz)
        if not config.clip:
            return {ENVIRONMENT_STATE: walks}
        follows = tracking.Following(tracking.Reference(cls.model, config.clip))
        both = any(config.velocity)
        return {ENVIRONMENT_STATE: (lambda: np.concatenate([walks(), follows()])) if both else follows}

    @classmethod
    def simulation(cls, config: UnitreeConfig) -> list[str]:
        """In the same DDS domain."""
        return ["--domain", str(config.domain)]

    @classmethod
    def lets_go(cls, config: UnitreeConfig) -> str:
        """Of its strap, where it has one."""
        return "" if config.strap else cls.strap

    def connect(self) -> State:
        """Find the robot and see that it is well and free. Raises `RobotError` as `Robot` says; nothing moves."""
        line = Line(self.config.address, self.config.domain)
        self.link = StateLink(line, self.model.family, self.config.address)
        first = self.link.read(FOUND_S)
        is_that_model(self.model, first)
        is_free(self.model, line, self.config.address, release=self.config.release)
        fault = self._senses.fault(first, commanded=False) or too_empty(first, self.config.battery)
        if fault:
            raise RobotError(f"{self.model.name} is not ready: {fault}")
        self.command = Command(line, self.model)
        if self.model.machines:
            self.command.machine(int(first["mode_machine"]))
        until = time.monotonic() + FOUND_S
        while not self.command.heard():
            if time.monotonic() > until:
                raise RobotError(f"nobody on interface {self.config.address!r} reads {COMMAND}; is it in debug mode?")
            time.sleep(0.01)
        self._damped, self._fault, self._open = False, "", True
        self.link.begin()
        return self.read()

    def read(self) -> State:
        """Wait for the next LowState. Raises `RobotError` when none comes for `silence`."""
        try:
            record = self.link.read(self.config.silence)
        except RobotError:
            self._damped = True  # a robot that is not seen may still hear
            self._send(np.zeros(len(self.model.joints)), self.model.policy)
            raise
        self._fault = self._fault or self._senses.fault(record, commanded=self.command.sent > OBEY_CYCLES)
        motors = record["motor_state"][: len(self.model.joints)]
        values = self._senses.values(record)
        return State(
            self.link.time_s, values, motors["q"].astype(float), motors["tau_est"].astype(float), self._fault
        )  # fmt: skip

    def write(self, setpoint: Setpoint) -> None:
        """Send LowCmd: targets with the policy's gains; damping once it was halted or had a fault, until `recover`."""
        self._damped = self._damped or setpoint.halted
        self._send(setpoint.values, self.model.policy)

    def stand(self, seconds: float = 3.0, heed: Callable[[], None] = lambda: None) -> State:
        """Stand up from lying (Go2) or hanging with the feet on the floor (G1), smoothly, in so many seconds.

        `heed` may stop it, as in `prepare`. Raises `RobotError` if it does not come to stand; it is damped then.
        """
        state = self.read()
        for pose in self.model.path:
            state = self._go(state, np.array(pose), seconds / len(self.model.path), heed)
        away = np.abs(state.measured - self.model.path[-1])
        if away.max() > REACHED_RAD:
            self._damped = True
            self._send(state.measured, self.model.standing)
            which = self.model.joints[int(np.argmax(away))]
            raise RobotError(f"{self.model.name} does not stand: {which} is {away.max():.2f} rad away; is it blocked?")
        return state

    def prepare(self, heed: Callable[[], None] = lambda: None) -> State:
        """Stand up."""
        return self.stand(heed=heed)

    def recover(self) -> None:
        """No more damping; `stand` comes next. Raises `RobotError` while the fault is still there."""
        self._damped = True
        for _ in range(OBEY_CYCLES):
            self._send(np.zeros(len(self.model.joints)), self.model.standing)
            record = self.link.read(self.config.silence)
        fault = self._senses.fault(record, commanded=True)
        if fault:
            raise RobotError(f"{self.model.name} cannot go on: {fault}")
        self._damped, self._fault = False, ""

    def close(self) -> None:
        """Lie down (Go2) unless it is damped already, be damped, and let go."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(RobotError):
            state = self.read()
            if self.model.rest is not None and not (self._damped or state.fault):
                state = self._go(state, np.array(self.model.rest), REST_S)
            self._damped = True
            for _ in range(round(DAMP_S * CYCLE_HZ)):
                self._send(state.measured, self.model.standing)
                state = self.read()

    def _go(self, state: State, pose: np.ndarray, seconds: float, heed: Callable[[], None] = lambda: None) -> State:
        """To `pose` (A,) with the least jerk that such a time allows. Raises `RobotError` on a fault, damped."""
        start, cycles = np.clip(state.measured, self.model.limits.low, self.model.limits.high), seconds * CYCLE_HZ
        for cycle in range(1, round(cycles) + 1):
            self._let(heed, state)
            self._send(start + least_jerk(cycle / cycles) * (pose - start), self.model.standing)
            state = self.read()
            if state.fault:
                self._send(state.measured, self.model.standing)
                raise RobotError(f"{self.model.name} is damped: {state.fault}")
        return state

    def _let(self, heed: Callable[[], None], state: State) -> None:
        """`heed`; damped if it stops us."""
        try:
            heed()
        except RobotError:
            self._damped = True
            self._send(state.measured, self.model.standing)
            raise

    def _send(self, positions: np.ndarray, gains: Gains) -> None:
        if self._damped or self._fault:
            self.command.damp()
        else:
            self.command.hold(positions, gains)
        self.command.send()


class Go2(Unitree):
    """Unitree Go2, 12 motors."""

    model = GO2


class UnitreeG1(Unitree):
    """Unitree G1 with 29 motors."""

    model, strap = G1, "unstrap"


def robot_spec(model: Model) -> RobotSpec:
    """`observation.state` is `Senses.values`."""
    return RobotSpec(model.name, contract(model), model.limits, smooth=False, halt="damped")
