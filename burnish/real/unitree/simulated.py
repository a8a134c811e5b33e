"""A simulated Go2 and G1: MuJoCo behind the real robot's DDS topics, messages and CRC, at 500 Hz."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.real.simulated import SimulatedRobot
from burnish.real.unitree.board import Board
from burnish.real.unitree.body import Body
from burnish.real.unitree.dds import Line
from burnish.real.unitree.link import COMMAND, DEPTH, STATE
from burnish.real.unitree.mischief import Mischief
from burnish.real.unitree.senses import L2_B
from burnish.real.unitree.service import SimulatedService
from burnish.real.unitree.wire import Message, message_type
from burnish.sim.unitree.model import TIMESTEP_S
from burnish.unitree import CYCLE_HZ, G1, GO2, Model

BEHIND_S = 0.02
"""Later than that a cycle does not try to catch up: the robot's clock then stands still, as its world does."""
TIMED_OUT = 0x40000000
BUTTON_CYCLES = 250


@dataclass(frozen=True)
class SimulatedConfig:
    """A simulated robot."""

    address: str = "lo"
    """Network interface."""
    domain: int = 0
    """DDS domain; two robots on one interface need two."""
    standing: bool = False
    """Starts standing; otherwise lying (Go2), or hanging in its strap (G1)."""
    timeout_s: float = 0.04
    """Without a command for so long it damps itself."""
    service: str = ""
    """The motion service that has the motors when it starts, e.g. "normal"; "" for none."""
    battery: int = 90
    """%; only the Go2 tells."""
    seed: int = 0
    """Of what gets lost."""


class SimulatedUnitree(SimulatedRobot):
    """Any model."""

    Config = SimulatedConfig
    model: ClassVar[Model]
    faults = (
        "lose", "deaf", "delay", "duplicate", "reorder", "bad_crc", "silent", "kill_joystick", "motor_error", "hot",
        "tip", "unstrap", "mend",
    )  # fmt: skip

    def __init__(self, config: SimulatedConfig) -> None:
        self.config, model = config, self.model
        lying = model.rest or (0.0,) * len(model.joints)
        self.body = Body(model, model.path[-1] if config.standing else lying)
        self.board, self.mischief = Board(model, config.timeout_s), Mischief(config.seed)
        line = Line(config.address, config.domain)
        self._kind = message_type(model.family, "LowState_")
        self._writer = line.writer(STATE, self._kind)
        self._reader = line.reader(COMMAND, message_type(model.family, "LowCmd_"), DEPTH)
        self.service = SimulatedService(line, config.service)
        self._cycle, self._late, self._button = 0, 0, 0
        self._most_tilt, self._hurt_s = self.body.tilt, None
        self._answers: deque[float] = deque([0.0], maxlen=30_000)
        self._sent_ns, self._due = time.time_ns(), time.monotonic()

    @property
    def address(self) -> str:
        """The network interface."""
        return self.config.address

    @property
    def clock_s(self) -> float:
        """The robot's own."""
        return self._cycle / CYCLE_HZ

    def step(self) -> None:
        """Obey what came, move, tell, and wait."""
        self._cycle += 1
        before = self.board.commands
        for message in self._reader.take(DEPTH):
            if isinstance(message, Message) and self.mischief.hears():
                self.board.obey(message, self.clock_s)
                self._answers.append((message.sample_info.source_timestamp - self._sent_ns) / 1e3)
        self.board.watch(self.clock_s)
        self._late += self.board.alive and self.board.commands == before
        self.board.drive(self.body, round(1 / CYCLE_HZ / TIMESTEP_S))
        self._most_tilt = max(self._most_tilt, self.body.tilt)
        self._tell()
        self.service.serve()
        self._wait()

    def report(self) -> dict[str, Any]:
        """As `SimulatedRobot` says; times are of the robot's clock, answers from LowState to LowCmd in µs."""
        board, body = self.board, self.body
        return {
            "cycles": self._cycle, "clock_s": self.clock_s, "commands": board.commands, "bad_crc": board.bad_crc,
            "late": self._late, "timeouts": board.timeouts, "last_command_s": board.last_s, "hurt_s": self._hurt_s,
            "damped_by": board.damped_by, "damped_s": board.damped_s, "service": self.service.name,
            "velocity": board.most_velocity.round(3).tolist(), "torque": board.most_torque.round(2).tolist(),
            "violations": {name: count for name, count in board.violations.items() if count},
            "place_m": body.place.round(4).tolist(), "heading_rad": round(body.heading, 4),
            "pose": body.q.round(4).tolist(), "height_m": round(body.height, 4), "tilt_rad": round(body.tilt, 4),
            "fell": bool(self._most_tilt > self.model.tilt), "strapped": body.strapped,
            "answer_us": [round(float(value), 1) for value in np.percentile(self._answers, [50, 99])],
        }  # fmt: skip

    def hurt(self, fault: str, settings: dict[str, Any]) -> None:
        """`lose`, `deaf`, `bad_crc`: `share`; `delay`: `cycles`; `motor_error`, `hot`: `motor`; `tip`: `speed` m/s.

        `kill_joystick` presses L2+B for half a second; `mend` ends all that lasts, and picks up a robot that
        fell; `unstrap` is for a G1.
        """
        self._hurt_s = self.clock_s
        mischief, share = self.mischief, float(settings.get("share", 1.0))
        motor = int(settings.get("motor", 0))
        if fault == "lose":
            mischief.lose = share
        elif fault == "deaf":
            mischief.deaf = share
        elif fault == "bad_crc":
            mischief.broken = share
        elif fault == "delay":
            mischief.late = int(settings.get("cycles", 10))
        elif fault in ("silent", "duplicate", "reorder"):
            setattr(mischief, {"duplicate": "twice", "reorder": "swapped"}.get(fault, fault), True)
        elif fault == "kill_joystick":
            self._button = BUTTON_CYCLES
        elif fault == "motor_error":
            self.board.motorstate[motor] = int(settings.get("code", 0x200))
        elif fault == "hot":
            self.board.heat[motor] = 110
        elif fault == "tip":
            self.body.push(float(settings.get("speed", 3.0)))
        elif fault == "unstrap":
            self.body.unstrap()
        else:
            self.mischief, self._hurt_s = Mischief(self.config.seed), None
            self.board.mend()
            if self.body.tilt > self.model.tilt:
                self.body.rest()

    def close(self) -> None:
        """Nothing is left behind."""

    def _tell(self) -> None:
        """Send this cycle's LowState."""
        message, size = self._kind(), len(self.model.joints)
        record, board = message.record, self.board
        record["tick"] = round(self.clock_s * 1000)
        imu, motors = record["imu_state"], record["motor_state"][:size]
        imu["quaternion"], imu["gyroscope"] = self.body.quaternion, self.body.gyroscope
        motors["q"], motors["dq"], motors["tau_est"] = self.body.q, self.body.dq, board.torque
        if "bms_state" in (record.dtype.names or ()):
            record["bms_state"]["soc"] = self.config.battery
            motors["temperature"], motors["mode"] = board.heat, (board.motorstate == 0) & board.alive
        else:
            record["mode_machine"], motors["mode"] = self.model.machines[-1], 1
            motors["temperature"] = board.heat[:, None]
            motors["motorstate"] = board.motorstate | (0 if board.alive else TIMED_OUT)
        if self._button:
            self._button -= 1
            record["wireless_remote"][2:4] = L2_B & 0xFF, L2_B >> 8
        message.sign()
        self._sent_ns = time.time_ns()
        for stream in self.mischief.outgoing(message):
            self._writer.write(self._kind.deserialize(stream))

    def _wait(self) -> None:
        self._due += 1 / CYCLE_HZ
        left = self._due - time.monotonic()
        if left > 0:
            time.sleep(left)
        elif left < -BEHIND_S:
            self._due = time.monotonic()


class SimulatedGo2(SimulatedUnitree):
    """Unitree Go2, lying on the floor."""

    model = GO2


class SimulatedG1(SimulatedUnitree):
    """Unitree G1, hanging in a strap with its feet on the floor."""

    model = G1
