"""LowState in, LowCmd out: one cycle of the line to the robot, with its CRC and its losses counted."""

from __future__ import annotations

import time

import numpy as np

from burnish.real.base import RobotError
from burnish.real.unitree.dds import Line
from burnish.real.unitree.wire import Message, message_type
from burnish.unitree import CYCLE_HZ, Gains, Model

STATE, COMMAND = "rt/lowstate", "rt/lowcmd"
DEPTH = 256
"""Messages that are kept while nobody reads. After a pause of half a second it is still known what the line lost, and
what only came too late to be used."""


class StateLink:
    """Receives LowState.

    Attributes:
        received: good ones; of several at once the newest is used.
        lost: gaps in the robot's clock, in cycles.
        bad_crc: discarded.
        stale: discarded, for they were older than what was there, or the same.
        time_s: the robot's clock, from the `tick` (ms) of the newest.
    """

    def __init__(self, line: Line, family: str, interface: str) -> None:
        """`interface`: for messages."""
        self._reader = line.reader(STATE, message_type(family, "LowState_"), DEPTH)
        self._waiter = line.waiter(self._reader)
        self._interface = interface
        self.time_s = 0.0
        self.begin()

    def begin(self) -> None:
        """Count anew; what passes until the next state is not lost."""
        self.received, self.lost, self.bad_crc, self.stale = 0, 0, 0, 0
        self._tick: int | None = None

    def read(self, timeout_s: float) -> np.ndarray:
        """The record of the newest state; waits for one. Raises `RobotError` after `timeout_s` without a good one."""
        until, bad = time.monotonic() + timeout_s, self.bad_crc
        while True:
            fresh = None
            for message in self._reader.take(DEPTH):
                if isinstance(message, Message) and self._accept(message):
                    fresh = message.record
            if fresh is not None:
                return fresh
            left = until - time.monotonic()
            if left <= 0:
                break
            self._waiter.wait(int(left * 1e9))
        broken = f", {self.bad_crc - bad} with a bad CRC" if self.bad_crc > bad else ""
        raise RobotError(
            f"no LowState on interface {self._interface!r}, topic {STATE}, for {timeout_s:g} s{broken}; "
            "is the robot on, the cable in, the address in its network, and the DDS domain the same?"
        )

    def _accept(self, message: Message) -> bool:
        if not message.signed():
            self.bad_crc += 1
            return False
        tick = int(message.record["tick"])
        if self._tick is None:
            self.time_s = tick / 1000
        else:
            step = (tick - self._tick + 2**31) % 2**32 - 2**31  # the counter has 32 bits
            if step <= 0:
                self.stale += 1
                return False
            self.lost += max(0, round(step * CYCLE_HZ / 1000) - 1)
            self.time_s += step / 1000
        self._tick = tick
        self.received += 1
        return True


class Command:
    """Makes and sends LowCmd.

    Attributes:
        sent: how many.
    """

    def __init__(self, line: Line, model: Model) -> None:
        kind = message_type(model.family, "LowCmd_")
        self.writer = line.writer(COMMAND, kind)
        self.message, self.sent, self._size = kind(), 0, len(model.joints)
        record = self.message.record
        self._motors = record["motor_cmd"][: self._size]
        self._motors["mode"] = 1  # field-oriented control, enabled
        self._damping = model.damping
        if "head" in (record.dtype.names or ()):  # as in the SDK's go2_stand_example.py
            record["head"], record["level_flag"] = (0xFE, 0xEF), 0xFF

    def machine(self, number: int) -> None:
        """G1: which body it says it has; a command for another one is ignored."""
        self.message.record["mode_machine"] = number

    def hold(self, positions: np.ndarray, gains: Gains) -> None:
        """Targets (A,) rad for the motors' own controllers."""
        self._motors["q"], self._motors["kp"], self._motors["kd"] = positions, gains.kp, gains.kd

    def damp(self) -> None:
        """No position to hold, only damping."""
        self._motors["q"], self._motors["kp"], self._motors["kd"] = 0.0, 0.0, self._damping

    def send(self) -> None:
        """Sign and write."""
        self.message.sign()
        self.writer.write(self.message)
        self.sent += 1

    def heard(self) -> bool:
        """Whether anybody reads it."""
        return self.writer.get_publication_matched_status().current_count > 0
