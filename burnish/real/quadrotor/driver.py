"""The driver of a quadrotor: an autopilot in OFFBOARD mode that follows attitudes, rates or single motors.

The autopilot keeps what it is good at: it takes off, hovers and lands by itself. In between it follows the policy, and
whenever the policy halts, it hovers at once and lands after a while.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from mavsdk.plugins.telemetry import FlightMode, LandedState

from burnish.contract import ENVIRONMENT_STATE
from burnish.quadrotor import VEHICLE
from burnish.ranges import outside
from burnish.real.base import Robot, RobotError, Setpoint, State
from burnish.real.quadrotor import checks
from burnish.real.quadrotor.config import QuadrotorConfig
from burnish.real.quadrotor.frames import angles, from_angles, quaternion, turn_body
from burnish.real.quadrotor.helm import STICKS, Helm
from burnish.real.quadrotor.limits import LAND_S, spec
from burnish.real.quadrotor.link import ARM, IGNORE_ATTITUDE, IGNORE_RATES, TAKEOFF, Link, Sample
from burnish.real.quadrotor.route import Route

LAUNCH_S = 20.0
"""For a take-off."""
ENGAGE_S = 4.0
"""Until OFFBOARD."""
DEAF_S = 3.0
"""`close` does not watch a landing any more when nothing is heard for so long."""


class QuadrotorDriver(Robot):
    """`connect`, `prepare` (arm and take off), then cycles."""

    Config: ClassVar[type] = QuadrotorConfig
    prepares: ClassVar[bool] = True

    def __init__(self, config: QuadrotorConfig) -> None:
        self.config, self.spec = config, spec(config.mode)
        self._open: tuple[Link, Helm] | None = None
        self._before: Sample | None = None
        self._home, self._hover = np.zeros(3), 0.0
        self._sent = np.zeros(4)

    @classmethod
    def unsuited(cls, config: QuadrotorConfig, trained: Mapping[str, tuple[float, float]]) -> str:
        """Which numbers of the vehicle lie outside what was trained, and by how much; "" if `config.force`."""
        return "" if config.force else outside({name: getattr(config, name) for name in VEHICLE}, trained, VEHICLE)

    @classmethod
    def senses(cls, config: QuadrotorConfig) -> dict[str, Callable[[], np.ndarray]]:
        """Where it is to be."""
        return {ENVIRONMENT_STATE: Route(config.path, config.height_m)}

    @classmethod
    def simulation(cls, config: QuadrotorConfig) -> list[str]:
        """An autopilot that takes commands for single motors, where they are wanted."""
        return ["--motors"] if config.mode == "motors" else []

    def connect(self) -> State:
        """Reach the autopilot and look whether it could fly; the motors stay off."""
        self.close()
        link = Link(self.config.address, self.config.wait_s, self.spec.rate_hz)
        self._open, self._before = (link, Helm(link, self.config.land_after_s)), None
        try:
            self._hover = checks.ready(link, self.config)
            return self.read()
        except BaseException:
            self.close()
            raise

    def prepare(self, heed: Callable[[], None] = lambda: None) -> State:
        """Arm, take off, and follow setpoints from now on; in the air already, only the last. Blocks for seconds.

        Raises `RobotError` with the autopilot's own words if it refuses. It is then left on the ground or, halted,
        hovers and lands after a while.
        """
        link, helm = self._line()
        state = self.read()
        self._home = state.values[:3].copy()
        if not (link.armed and link.landed == LandedState.IN_AIR):
            self._take_off(link, helm, state, heed)
        helm.hold()
        return self._engage(heed)

    def read(self) -> State:
        """The next attitude with the newest position. Raises `RobotError` after `silence_s` without any."""
        link, helm = self._line()
        longest = self.config.silence_s
        sample = link.wait(longest)
        if sample is None:
            raise RobotError(
                f"no telemetry from {link.address} for {longest:g} s; the autopilot hovers and lands by itself when "
                "setpoints stop (COM_OF_LOSS_T). Look at the radio or cable"
            )
        before, self._before = self._before, sample
        if helm.phase in ("hold", "ground"):
            self._sent = self._neutral(sample)
        fault = checks.fault(sample, before, link, helm, self._home, self.config)
        values = np.concatenate([sample.position, sample.rotation.ravel(), sample.velocity, sample.rates])
        nothing = np.full(4, np.nan)
        known = {"attitude": angles(sample.rotation), "rates": sample.rates, "motors": nothing[:3]}
        measured = np.append(known[self.config.mode], np.nan)
        return State(sample.time_s, values, measured, nothing, fault, reference=self._sent)

    def write(self, setpoint: Setpoint) -> None:
        """Follow it; halted, hover and then land. Un-halted, OFFBOARD comes back by itself 0.3 s later."""
        _, helm = self._line()
        if setpoint.halted:
            helm.rest()
            return
        if helm.phase != "taken":
            self._send(setpoint.values)
            helm.take()

    def recover(self) -> None:
        """Hover for this driver again, or stand ready to take off: `prepare` comes next.

        Raises `RobotError` while sticks fly it, or while a fault is still there.
        """
        link, helm = self._line()
        if link.mode.name in STICKS:
            raise RobotError(f"the operator flies it ({link.mode.name}); let him switch to HOLD first")
        helm.regain()
        if fault := self.read().fault:
            raise RobotError(f"the quadrotor cannot go on: {fault}")

    def close(self) -> None:
        """Land, unless somebody else flies it; the autopilot switches its motors off on the ground."""
        if self._open is None:
            return
        (link, helm), self._open = self._open, None
        try:
            if helm.phase in ("offboard", "hold", "land") and link.armed:
                helm.land()
                self._see_down(link)
        finally:
            link.close()

    def _line(self) -> tuple[Link, Helm]:
        if self._open is None:
            raise RobotError(f"the quadrotor at {self.config.address} is not connected; call connect first")
        return self._open

    def _take_off(self, link: Link, helm: Helm, state: State, heed: Callable[[], None]) -> None:
        link.set_parameter("MIS_TAKEOFF_ALT", self.config.height_m)
        armed = link.command(ARM, 1)
        if armed:
            helm.hold()  # from here on `close` lands
        if not armed or not link.command(TAKEOFF, *[math.nan] * 7):
            raise RobotError(f"the autopilot does not take off: {checks.words(link)}")
        end, flew = state.time_s + LAUNCH_S, False
        while link.mode != FlightMode.HOLD or state.values[2] - self._home[2] < self.config.height_m / 2:
            heed()
            state, flew = self.read(), flew or link.armed
            if state.time_s > end or (flew and not link.armed):
                raise RobotError(f"it does not come to {self.config.height_m:g} m: {checks.words(link)}")

    def _see_down(self, link: Link) -> None:
        """Until the motors are off, or nothing is heard any more."""
        end = time.monotonic() + LAND_S
        while link.armed and time.monotonic() < end and link.wait(DEAF_S) is not None:
            pass

    def _engage(self, heed: Callable[[], None]) -> State:
        """Stream what keeps it where it is until the autopilot is in OFFBOARD."""
        link, helm = self._line()
        state = self.read()
        end = state.time_s + ENGAGE_S
        while helm.phase != "offboard":
            if state.time_s > end or helm.refused > 1:
                raise RobotError(
                    f"the autopilot refuses OFFBOARD: {checks.words(link)}. It hovers; land it or try again"
                )
            heed()
            self._send(self._sent)
            helm.take()
            state = self.read()
        return state

    def _neutral(self, sample: Sample) -> np.ndarray:
        """(4,) the setpoint that carries its weight and turns nothing."""
        if self.config.mode == "motors":
            return np.full(4, self._hover)
        yaw = angles(sample.rotation)[2] if self.config.mode == "attitude" else 0.0
        return np.array([0.0, 0.0, yaw, self._hover])

    def _send(self, values: np.ndarray) -> None:
        self._sent = values
        link, _ = self._line()
        if self.config.mode == "motors":
            link.send("SET_ACTUATOR_CONTROL_TARGET", time_usec=0, group_mlx=0, controls=[*values.tolist(), *[0.0] * 4])
            return
        asked = values.tolist()
        turned, rates, mask = [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0], IGNORE_RATES
        if self.config.mode == "attitude":
            turned = quaternion(from_angles(*asked[:3])).tolist()
        else:
            rates, mask = turn_body(values[:3]).tolist(), IGNORE_ATTITUDE
        link.send(
            "SET_ATTITUDE_TARGET",
            time_boot_ms=round(self._before.time_s * 1e3) if self._before else 0,  # what it answers
            type_mask=mask,
            q=turned,
            body_roll_rate=rates[0],
            body_pitch_rate=rates[1],
            body_yaw_rate=rates[2],
            thrust=asked[3],
            thrust_body=[0.0, 0.0, 0.0],
        )
