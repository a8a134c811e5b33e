"""MAVLink 2 over UDP, the autopilot's side: what it streams and how it answers."""

from __future__ import annotations

import random
import select
import socket
import time
from collections import Counter, deque

import numpy as np
from pymavlink.dialects.v20 import common as mavlink

from burnish.real.quadrotor.flight import Flight, Mode, Wish
from burnish.real.quadrotor.frames import attitude, quaternion, turn_body, turn_world

MAIN, AUTO = 16, 4
MODES: dict[Mode, int] = {
    "MANUAL": 1 << MAIN,
    "POSCTL": 3 << MAIN,
    "OFFBOARD": 6 << MAIN,
    "TAKEOFF": AUTO << MAIN | 2 << 24,
    "HOLD": AUTO << MAIN | 3 << 24,
    "LAND": AUTO << MAIN | 6 << 24,
}
"""PX4's custom_mode: main mode, and the sub mode of the automatic ones."""
RATES_HZ = {
    mavlink.MAVLINK_MSG_ID_HEARTBEAT: 1.0,
    mavlink.MAVLINK_MSG_ID_SYS_STATUS: 5.0,
    mavlink.MAVLINK_MSG_ID_BATTERY_STATUS: 2.0,
    mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: 5.0,
    mavlink.MAVLINK_MSG_ID_ATTITUDE_QUATERNION: 50.0,
    mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED: 50.0,
}
"""Until MAV_CMD_SET_MESSAGE_INTERVAL says otherwise."""
ACCEPTED, DENIED, UNSUPPORTED = (
    mavlink.MAV_RESULT_ACCEPTED,
    mavlink.MAV_RESULT_DENIED,
    mavlink.MAV_RESULT_UNSUPPORTED,
)
CAPABILITIES = mavlink.MAV_PROTOCOL_CAPABILITY_MAVLINK2 | mavlink.MAV_PROTOCOL_CAPABILITY_SET_ATTITUDE_TARGET
ATTITUDE_IGNORED = mavlink.ATTITUDE_TARGET_TYPEMASK_ATTITUDE_IGNORE
BOOTED_S = 60.0
"""What its clock says at the start."""


class Wire:
    """One autopilot's link to whoever listens on a port of this machine.

    Attributes:
        lose: share of datagrams lost each way.
        delay_s: how late a datagram is, each way.
        silent: nothing is sent.
        clock_s: added to its clock.
        seen: counts of what was received and of what a setpoint must not be.
        answered_s: from an attitude's sending until a setpoint that answers it (by its time stamp) came.
    """

    def __init__(self, flight: Flight, port: int, *, motors: bool, seed: int) -> None:
        """`motors`: it takes SET_ACTUATOR_CONTROL_TARGET for the rotors themselves, as PX4 did before 1.14."""
        self._flight, self._motors, self._random = flight, motors, random.Random(seed)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._to = ("127.0.0.1", port)
        self._mav = mavlink.MAVLink(None, srcSystem=1, srcComponent=mavlink.MAV_COMP_ID_AUTOPILOT1)
        self._rates, self._sent_s = dict(RATES_HZ), dict.fromkeys(RATES_HZ, -1.0)
        self._out: deque[tuple[float, bytes]] = deque()
        self._in: deque[tuple[float, bytes]] = deque()
        self.lose, self.delay_s, self.clock_s, self.silent = 0.0, 0.0, BOOTED_S, False
        self.seen: Counter[str] = Counter()
        self.answered_s: deque[float] = deque(maxlen=20_000)
        self._asked_s: deque[tuple[int, float]] = deque(maxlen=64)
        hover = flight.body.airframe.hover
        self._parameters = {"MIS_TAKEOFF_ALT": flight.takeoff_m, "MPC_THR_HOVER": hover, "THR_MDL_FAC": 1.0}
        self._make = {
            mavlink.MAVLINK_MSG_ID_HEARTBEAT: self._heartbeat,
            mavlink.MAVLINK_MSG_ID_SYS_STATUS: self._status,
            mavlink.MAVLINK_MSG_ID_BATTERY_STATUS: self._battery,
            mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: self._landed,
            mavlink.MAVLINK_MSG_ID_ATTITUDE_QUATERNION: self._attitude,
            mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED: self._position,
        }
        self._answers = {
            "COMMAND_LONG": self._command,
            "SET_ATTITUDE_TARGET": self._attitude_target,
            "SET_ACTUATOR_CONTROL_TARGET": self._actuator_target,
            "PARAM_REQUEST_READ": self._parameter,
            "PARAM_SET": self._parameter,
        }

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def listen(self, seconds: float) -> None:
        """Answer what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self._socket], [], [], left)[0]:
            self.receive()

    def receive(self) -> None:
        """Answer everything that has come."""
        while True:
            try:
                data = self._socket.recv(2048)
            except (BlockingIOError, ConnectionRefusedError):
                break
            if self._random.random() >= self.lose:
                self._in.append((self._flight.time_s + self.delay_s, data))
        while self._in and self._in[0][0] <= self._flight.time_s:
            for message in self._mav.parse_buffer(self._in.popleft()[1]) or []:
                answer = self._answers.get(message.get_type())
                if answer is not None:
                    answer(message)

    def stream(self) -> None:
        """Send every message that is due; first why something changed, then that it did."""
        now = self._flight.time_s
        while self._flight.texts:
            text = self._flight.texts.pop(0).encode()[:50]
            self._send(self._mav.statustext_encode(mavlink.MAV_SEVERITY_CRITICAL, text))
        for kind, rate in self._rates.items():
            if now - self._sent_s[kind] >= 1 / rate - 1e-6 and (kind != POSITION or self._flight.positioned):
                self._sent_s[kind] = now
                self._send(self._make[kind]())
        while self._out and self._out[0][0] <= now:
            self._socket.sendto(self._out.popleft()[1], self._to)

    def _send(self, message: mavlink.MAVLink_message) -> None:
        data = message.pack(self._mav)
        if not self.silent and self._random.random() >= self.lose:
            self._out.append((self._flight.time_s + self.delay_s, data))

    def _milliseconds(self) -> int:
        return round((self._flight.time_s + self.clock_s) * 1e3)

    def _heartbeat(self) -> mavlink.MAVLink_message:
        flight = self._flight
        base = mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED | mavlink.MAV_MODE_FLAG_SAFETY_ARMED * flight.armed
        status = mavlink.MAV_STATE_CRITICAL if flight.failsafe else mavlink.MAV_STATE_ACTIVE
        return self._mav.heartbeat_encode(
            mavlink.MAV_TYPE_QUADROTOR, mavlink.MAV_AUTOPILOT_PX4, base, MODES[flight.mode], status
        )

    def _status(self) -> mavlink.MAVLink_message:
        sensors = mavlink.MAV_SYS_STATUS_SENSOR_3D_GYRO | mavlink.MAV_SYS_STATUS_SENSOR_3D_ACCEL
        sensors |= mavlink.MAV_SYS_STATUS_SENSOR_3D_MAG | mavlink.MAV_SYS_STATUS_SENSOR_GPS
        checked = sensors | mavlink.MAV_SYS_STATUS_PREARM_CHECK
        well = sensors if self._flight.unready() else checked
        left = round(self._flight.battery * 100)
        return self._mav.sys_status_encode(checked, checked, well, 100, 15_800, 1_000, left, 0, 0, 0, 0, 0, 0)

    def _battery(self) -> mavlink.MAVLink_message:
        cells = [3_950] * 4 + [65_535] * 6
        return self._mav.battery_status_encode(0, 0, 1, 2_500, cells, 1_000, -1, -1, round(self._flight.battery * 100))

    def _landed(self) -> mavlink.MAVLink_message:
        flying = mavlink.MAV_LANDED_STATE_LANDING if self._flight.mode == "LAND" else mavlink.MAV_LANDED_STATE_IN_AIR
        state = flying if self._flight.airborne else mavlink.MAV_LANDED_STATE_ON_GROUND
        return self._mav.extended_sys_state_encode(mavlink.MAV_VTOL_STATE_UNDEFINED, state)

    def _attitude(self) -> mavlink.MAVLink_message:
        body, stamp = self._flight.body, self._milliseconds()
        self._asked_s.append((stamp, time.monotonic()))
        return self._mav.attitude_quaternion_encode(stamp, *quaternion(body.rotation), *turn_body(body.rates))

    def _position(self) -> mavlink.MAVLink_message:
        body = self._flight.body
        return self._mav.local_position_ned_encode(
            self._milliseconds(), *turn_world(body.position), *turn_world(body.velocity)
        )

    def _command(self, message: mavlink.MAVLink_command_long_message) -> None:
        result = self._obey(message)
        self._send(
            self._mav.command_ack_encode(
                message.command, result, 0, 0, message.get_srcSystem(), message.get_srcComponent()
            )
        )

    def _obey(self, message: mavlink.MAVLink_command_long_message) -> int:
        flight, command = self._flight, message.command
        if command == mavlink.MAV_CMD_COMPONENT_ARM_DISARM:
            done = flight.arm() if message.param1 else flight.disarm(force=message.param2 == FORCED)
        elif command == mavlink.MAV_CMD_DO_SET_MODE:
            wanted = int(message.param2) << MAIN | int(message.param3) << 24
            done = any(flight.switch(mode) for mode, number in MODES.items() if number == wanted)
        elif command == mavlink.MAV_CMD_NAV_TAKEOFF:
            done = flight.armed and flight.switch("TAKEOFF")
        elif command == mavlink.MAV_CMD_NAV_LAND:
            done = flight.switch("LAND")
        elif command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL and int(message.param1) in self._rates:
            self._rates[int(message.param1)] = 1e6 / message.param2 if message.param2 > 0 else 1.0
            done = True
        elif command == mavlink.MAV_CMD_REQUEST_MESSAGE and message.param1 == mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION:
            self._send(self._version())
            done = True
        elif command == mavlink.MAV_CMD_RUN_PREARM_CHECKS:
            flight.texts += flight.unready()
            done = True
        else:
            return UNSUPPORTED
        return ACCEPTED if done else DENIED

    def _version(self) -> mavlink.MAVLink_message:
        version = 1 << 24 | (13 if self._motors else 15) << 16 | 255
        nobody = [0] * 8
        return self._mav.autopilot_version_encode(CAPABILITIES, version, 0, 0, 0, nobody, nobody, nobody, 0, 0, 1)

    def _attitude_target(self, message: mavlink.MAVLink_set_attitude_target_message) -> None:
        rates = np.array([message.body_roll_rate, message.body_pitch_rate, message.body_yaw_rate])
        values = np.array([*message.q, *rates, message.thrust])
        if not self._sound(values, message.thrust):
            return
        self.answered_s += [
            time.monotonic() - asked_s for stamp, asked_s in self._asked_s if stamp == message.time_boot_ms
        ]
        if message.type_mask & ATTITUDE_IGNORED:
            self._flight.take(Wish("rates", turn_body(rates), message.thrust, self._flight.time_s))
        else:
            self._flight.take(Wish("attitude", attitude(np.array(message.q)), message.thrust, self._flight.time_s))

    def _actuator_target(self, message: mavlink.MAVLink_set_actuator_control_target_message) -> None:
        rotors = np.array(message.controls[:4])
        if self._motors and self._sound(rotors, *rotors):
            self._flight.take(Wish("motors", rotors, 0.0, self._flight.time_s))

    def _sound(self, values: np.ndarray, *shares: float) -> bool:
        """Whether a setpoint can be meant; counted otherwise."""
        self.seen["setpoints"] += 1
        finite = bool(np.isfinite(values).all())
        self.seen["not finite"] += not finite
        self.seen["thrust outside 0 … 1"] += any(not 0 <= share <= 1 for share in shares)
        return finite

    def _parameter(
        self, message: mavlink.MAVLink_param_request_read_message | mavlink.MAVLink_param_set_message
    ) -> None:
        """PARAM_REQUEST_READ and PARAM_SET are both answered by the value."""
        name = message.param_id.rstrip("\0")
        if name not in self._parameters:
            return
        if isinstance(message, mavlink.MAVLink_param_set_message):
            self._parameters[name] = message.param_value
            self._flight.takeoff_m = self._parameters["MIS_TAKEOFF_ALT"]
        place = list(self._parameters).index(name)
        kind = mavlink.MAV_PARAM_TYPE_REAL32
        self._send(
            self._mav.param_value_encode(name.encode(), self._parameters[name], kind, len(self._parameters), place)
        )


POSITION = mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED
FORCED = 21196
"""MAV_CMD_COMPONENT_ARM_DISARM's magic number."""
