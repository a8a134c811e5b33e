"""The Franka Hand, in a process of its own: pylibfranka's gripper calls block the whole interpreter until it has moved.

The two processes exchange lines of JSON: a wished width (m) one way, the measured width and any failure the other way.
Wishes are numbered, so that what is said of one is not taken for another's.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from burnish.real.base import RobotError

SPEED, FORCE = 0.1, 40.0
"""m/s and N."""
PERIOD_S = 1e-3
"""Of the robot's cycles."""
BEHIND_S = 0.1
"""From a wish until fingers move, at most: what is believed of a motion is not ahead of it."""
CHANGE_M = 0.004
"""A wish closer to the last one than this is the same wish."""
SETTLED_CYCLES = 20
"""For so long a wish must not change: the hand cannot be told something else on the way."""
SHORT_M = 0.01
"""Fingers that stay further closed than wished are stuck. Those that stay further open hold something, unless they did
not move at all from where they had been free."""
MOVES_M = 0.0005
"""Less is none. What lies between the fingers may be closer to them than `CHANGE_M` when they are told to close."""
START_S = 10.0
SILENT_CYCLES = 5000
"""A motion takes a second or two, in which nothing is said; whoever says nothing for longer hangs."""
ENDED = "the gripper's process ended"
FIRST_READS = 5
"""The first state after connecting may be an empty one."""


class Hand:
    """From the control loop's side: nothing here waits.

    Attributes:
        width: opening, m, as last measured; while the fingers move, which nobody can measure meanwhile, as it is by
            now if nothing is between them.
        fault: why it cannot move ("" while it can).
    """

    def __init__(self, address: str) -> None:
        command = [sys.executable, "-m", "burnish.real.franka.hand", address]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._out, False)
        self.width, self.fault, self._buffer = 0.0, "", b""
        self._wish: float | None = None
        self._number, self._spoke = 0, 0
        self._coming, self._since, self._cycles = 0.0, 0, 0
        self._begun: tuple[int, float] | None = None
        self._await_first(address)

    def _await_first(self, address: str) -> None:
        """Until the width is known: nothing may be wished before."""
        self._heard, end = False, time.monotonic() + START_S
        while not self._heard and not self.fault:
            if not select.select([self._out], [], [], max(0.0, end - time.monotonic()))[0]:
                break
            self._hear()
        if not self._heard:
            self.close()
            raise RobotError(
                f"the gripper at {address} does not answer; is a Franka Hand mounted? (--robot.no-gripper)"
            )

    def recover(self) -> None:
        """Forget the wish that failed, and why; the next one is tried. Raises `RobotError` if nobody is there to."""
        if self._process.poll() is not None:
            raise RobotError(f"{self.fault or ENDED}; run the same command again")
        self.fault, self._wish, self._begun = "", None, None
        self._say(None)

    def want(self, width: float, *, halted: bool) -> None:
        """Move to `width`, m; what was wished goes on while the arm is halted, so that nothing is dropped."""
        self._cycles += 1
        if self._cycles % 20 == 0:
            self._hear()
            if self._cycles - self._spoke > SILENT_CYCLES:
                self.fault = self.fault or f"the gripper has said nothing for {SILENT_CYCLES * PERIOD_S:g} s"
        if halted or abs(width - self._coming) > CHANGE_M / 4:
            self._coming, self._since = width, self._cycles
        settled = self._cycles - self._since > SETTLED_CYCLES
        if settled and (self._wish is None or abs(width - self._wish) > CHANGE_M):
            self._wish, self._begun = width, (self._cycles, self.width)
            self._say(width)
        if self._begun is not None and self._wish is not None:
            begun, start = self._begun
            way, walked = self._wish - start, SPEED * max(0.0, (self._cycles - begun) * PERIOD_S - BEHIND_S)
            self.width = start + math.copysign(min(walked, abs(way)), way)

    def close(self) -> None:
        """Leave the fingers as they are."""
        self._process.kill()
        self._process.wait()

    def _say(self, width: float | None) -> None:
        self._number += 1
        try:
            os.write(self._in, json.dumps({"number": self._number, "width": width}).encode() + b"\n")
        except BrokenPipeError:
            self.fault = self.fault or ENDED

    def _hear(self) -> None:
        try:
            said = os.read(self._out, 65536)
        except BlockingIOError:
            return
        if not said:
            self.fault = self.fault or ENDED
            return
        *lines, self._buffer = (self._buffer + said).split(b"\n")
        if not lines:
            return
        heard, self._heard, self._spoke = json.loads(lines[-1]), True, self._cycles
        if heard["number"] == self._number:  # else it was said before the motion that goes on
            self.width, self.fault, self._begun = heard["width"], heard["fault"], None


def main(address: str) -> int:
    """Move to the latest wish, again and again; ends with the process that started it. The exit status."""
    import pylibfranka as franka

    try:
        gripper = franka.Gripper(address)
        for _ in range(FIRST_READS):
            gripper.read_once()
    except Exception:  # pylibfranka's share no base class; that nobody answers is said by who asked
        return 1
    with suppress(BrokenPipeError):
        _obey(gripper)
    return 0


def _obey(gripper: Any) -> None:
    """Until nobody wishes any more, or the gripper is gone."""
    number, wished, buffer, fault, width = 0, None, b"", "", 0.0
    while True:
        try:
            if select.select([sys.stdin], [], [], 0.05)[0]:
                read = os.read(sys.stdin.fileno(), 65536)
                if not read:
                    return
                *lines, buffer = (buffer + read).split(b"\n")
                wishes = [json.loads(line) for line in lines]
                if any(wish["width"] is None for wish in wishes):
                    wished, fault = None, ""
                for wish in wishes[-1:]:
                    number, wide = wish["number"], wish["width"]
                    if wide is not None:
                        fault, wished = _move(gripper, wide, wished), wide
            width = gripper.read_once().width
        except Exception as error:  # as above: the line, or the gripper
            _tell(width, f"the gripper is gone: {error}", number)
            return
        _tell(width, fault, number)


def _tell(width: float, fault: str, number: int) -> None:
    os.write(sys.stdout.fileno(), json.dumps({"width": width, "fault": fault, "number": number}).encode() + b"\n")


def _move(gripper: Any, width: float, last: float | None) -> str:
    """Open to `width`, or close to it with force; what is wrong, if anything. `last`: what was wished before."""
    before = gripper.read_once().width
    if width < before:  # whatever is between the fingers is held
        gripper.grasp(width, SPEED, FORCE, 1.0, 1.0)
    else:
        gripper.move(width, SPEED)
    after = gripper.read_once().width
    held = last is not None and before > last + CHANGE_M  # something was between the fingers before
    still = before - after < MOVES_M and after - width > SHORT_M
    if width > after + SHORT_M or (still and not held):
        return f"the gripper is stuck at {after:.3f} m; asked for {width:.3f} m"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
