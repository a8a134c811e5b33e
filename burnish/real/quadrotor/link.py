"""The line to an autopilot: mavsdk's native API, and what the autopilot said last.

Setpoints are sent one by one as MAVLink messages. mavsdk's own `offboard` plugin would repeat the last one at 20 Hz
from a thread of its own, so that a hung policy would fly on blindly; here silence is silence, and the autopilot's own
failsafe ends it.
"""

from __future__ import annotations

import errno
import functools
import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mavsdk
import numpy as np
from mavsdk.plugins.mavlink_direct import MavlinkDirect, MavlinkMessage
from mavsdk.plugins.param import Param
from mavsdk.plugins.telemetry import FlightMode, LandedState, Telemetry

from burnish.real.base import RobotError
from burnish.real.quadrotor.frames import attitude, turn_body, turn_world

SET_MODE, ARM, PREARM_CHECKS, TAKEOFF, LAND, INTERVAL, REQUEST = 176, 400, 401, 22, 21, 511, 512
"""MAV_CMD_DO_SET_MODE, _COMPONENT_ARM_DISARM, _RUN_PREARM_CHECKS, _NAV_TAKEOFF, _NAV_LAND, _SET_MESSAGE_INTERVAL,
_REQUEST_MESSAGE."""
HEARTBEAT, ATTITUDE_QUATERNION, LOCAL_POSITION_NED, AUTOPILOT_VERSION = 0, 31, 32, 148
ACCEPTED = 0
LISTENS = re.compile(r"udp(?:in)?://(?P<host>[\d.]*):(?P<port>\d{1,5})$")
"""Addresses at which the autopilot is waited for, not called."""
IGNORE_RATES, IGNORE_ATTITUDE = 7, 128
"""Of ATTITUDE_TARGET_TYPEMASK."""
HEARTBEAT_HZ = 20.0
"""So that a change of mode is seen in 50 ms, not in 1 s."""


@dataclass(frozen=True)
class Sample:
    """One cycle of telemetry, ENU and FLU.

    Attributes:
        time_s: the autopilot's clock.
        here_s: this computer's, when the attitude came.
        placed_s: this computer's, when the position came.
        position, velocity, rates: (3,) m, m/s, rad/s.
        rotation: (3, 3).
    """

    time_s: float
    here_s: float
    placed_s: float
    position: np.ndarray
    velocity: np.ndarray
    rotation: np.ndarray
    rates: np.ndarray


class Link:
    """Of one autopilot.

    Attributes:
        mode, armed, landed, battery, armable: as last reported; battery 0 … 1.
        texts: what it told its operator, newest last.
    """

    def __init__(self, address: str, wait_s: float, rate_hz: float) -> None:
        """Raises `RobotError` when nobody answers at `address` within `wait_s`, or somebody else listens there."""
        _check_free(address)
        _silence()
        station = mavsdk.Configuration.create_with_component_type(mavsdk.ComponentType.GROUND_STATION)
        self._mavsdk, self.address = mavsdk.Mavsdk(station), address
        opened = self._mavsdk.add_any_connection(address)
        if opened.name != "SUCCESS":
            self._mavsdk.destroy()
            raise RobotError(f"{address} cannot be opened ({opened.name}); the form is udpin://HOST:PORT")
        system = self._mavsdk.first_autopilot(wait_s)
        if system is None:
            self._mavsdk.destroy()
            raise RobotError(
                f"no autopilot at {address} within {wait_s:g} s; is it powered, and does it send MAVLink there?"
            )
        self._telemetry, self._direct, self._parameters = Telemetry(system), MavlinkDirect(system), Param(system)
        self.mode, self.landed = FlightMode.UNKNOWN, LandedState.UNKNOWN
        self.armed, self.armable, self.battery = False, False, float("nan")
        self.texts: deque[str] = deque(maxlen=8)
        self._news = threading.Condition()
        self._attitude: tuple[float, float, Any] | None = None
        self._place: tuple[float, Any] | None = None
        self._taken_s = 0.0
        self._listen()
        for message in (ATTITUDE_QUATERNION, LOCAL_POSITION_NED):
            self.order(INTERVAL, message, 1e6 / rate_hz)
        self.order(INTERVAL, HEARTBEAT, 1e6 / HEARTBEAT_HZ)

    def close(self) -> None:
        """Let go of the line."""
        self._mavsdk.destroy()

    def wait(self, seconds: float) -> Sample | None:
        """The next sample, or None if none comes in time."""
        end = time.monotonic() + seconds
        with self._news:
            while self._attitude is None or self._attitude[1] == self._taken_s or self._place is None:
                if not self._news.wait(end - time.monotonic()):
                    return None
            (time_s, here_s, turned), (placed_s, place) = self._attitude, self._place
            self._taken_s = here_s
        rates = self._telemetry.attitude_angular_velocity_body()
        return Sample(
            time_s,
            here_s,
            placed_s,
            turn_world(np.array([place.position.north_m, place.position.east_m, place.position.down_m])),
            turn_world(np.array([place.velocity.north_m_s, place.velocity.east_m_s, place.velocity.down_m_s])),
            attitude(np.array([turned.w, turned.x, turned.y, turned.z])),
            turn_body(np.array([rates.roll_rad_s, rates.pitch_rad_s, rates.yaw_rad_s])),
        )

    def send(self, name: str, **fields: Any) -> None:
        """One MAVLink message, now."""
        told = {"target_system": 1, "target_component": 1, **fields}
        self._direct.send_message(MavlinkMessage(name, 0, 0, 1, 1, json.dumps(told)))

    def order(self, command: int, *numbers: float, then: Callable[[bool], None] | None = None) -> None:
        """A MAV_CMD without waiting; `then` is told, from another thread, whether it was accepted."""

        def answered(result: Any, ack: MavlinkMessage, _: Any) -> None:
            if then is not None:
                then(result.name == "SUCCESS" and json.loads(ack.fields_json)["result"] == ACCEPTED)

        filled = {f"param{place + 1}": _number(number) for place, number in enumerate([*numbers, *[0.0] * 7][:7])}
        told = {"target_system": 1, "target_component": 1, "command": command, "confirmation": 0, **filled}
        self._direct.send_command_async(MavlinkMessage("COMMAND_LONG", 0, 0, 1, 1, json.dumps(told)), answered)

    def command(self, command: int, *numbers: float) -> bool:
        """A MAV_CMD; whether it was accepted. Raises `RobotError` when no answer comes."""
        answers: list[bool] = []
        done = threading.Event()

        def then(accepted: bool) -> None:
            answers.append(accepted)
            done.set()

        self.order(command, *numbers, then=then)
        if not done.wait(ANSWER_S):
            raise RobotError(f"the autopilot at {self.address} does not answer command {command} within {ANSWER_S:g} s")
        return answers[0]

    def parameter(self, name: str) -> float | None:
        """A float parameter, None where the autopilot has none of that name."""
        try:
            return float(self._parameters.get_param_float(name))
        except mavsdk.MavsdkError:
            return None

    def set_parameter(self, name: str, value: float) -> None:
        """Raises `RobotError` if it does not take it."""
        try:
            self._parameters.set_param_float(name, value)
        except mavsdk.MavsdkError as error:
            raise RobotError(f"the autopilot at {self.address} does not take {name} = {value:g} ({error})") from error

    def version(self) -> tuple[int, int]:
        """Major and minor of the autopilot's firmware. Raises `RobotError` if it does not say."""
        heard: list[int] = []
        told = threading.Event()

        def note(message: MavlinkMessage, _: Any) -> None:
            heard.append(json.loads(message.fields_json)["flight_sw_version"])
            told.set()

        watching = self._direct.subscribe_message("AUTOPILOT_VERSION", note)
        self.order(REQUEST, AUTOPILOT_VERSION)
        told.wait(ANSWER_S)
        self._direct.unsubscribe_message(watching)
        if not heard:
            raise RobotError(f"the autopilot at {self.address} does not tell its version within {ANSWER_S:g} s")
        return heard[0] >> 24 & 255, heard[0] >> 16 & 255

    def _listen(self) -> None:
        telemetry = self._telemetry
        telemetry.subscribe_attitude_quaternion(self._turned)
        telemetry.subscribe_position_velocity_ned(self._placed)
        telemetry.subscribe_flight_mode(lambda mode, _: setattr(self, "mode", FlightMode(mode)))
        telemetry.subscribe_landed_state(lambda state, _: setattr(self, "landed", LandedState(state)))
        telemetry.subscribe_armed(lambda armed, _: setattr(self, "armed", bool(armed)))
        telemetry.subscribe_battery(lambda battery, _: setattr(self, "battery", battery.remaining_percent / 100))
        telemetry.subscribe_health(lambda health, _: setattr(self, "armable", bool(health.is_armable)))
        telemetry.subscribe_status_text(lambda status, _: self.texts.append(status.text))

    def _turned(self, quaternion: Any, _: Any) -> None:
        with self._news:
            self._attitude = (quaternion.timestamp_us * 1e-6, time.monotonic(), quaternion)
            self._news.notify()

    def _placed(self, place: Any, _: Any) -> None:
        with self._news:
            self._place = (time.monotonic(), place)


def _check_free(address: str) -> None:
    """mavsdk shares a port with whoever has it, and would take from a robot's controller all that it hears."""
    found = LISTENS.match(address)
    if found is None:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        try:
            alone.bind((found["host"], int(found["port"])))
        except (OSError, OverflowError) as error:  # whatever else is wrong with it, mavsdk says
            if getattr(error, "errno", None) == errno.EADDRINUSE:
                raise RobotError(f"{address}: another program listens there; end that one first") from error


@functools.cache  # a second one would be told of while mavsdk's threads are still telling the first, which is gone then
def _silence() -> None:
    """mavsdk would print to stdout."""
    mavsdk.log_subscribe(lambda *_: True)


def _number(value: float) -> float | None:
    """JSON has no NaN, with which MAVLink says "as it is"; mavsdk takes null for it."""
    return None if value != value else float(value)


ANSWER_S = 3.0
"""mavsdk repeats a command three times in that time."""
