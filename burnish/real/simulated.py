"""Simulated robots: processes that speak a real robot's protocol, count what a real one would refuse, and can be hurt.

`burnish sim-robot NAME` starts one. It prints one JSON line `{"ready": ADDRESS, "control": PORT}` once it is reachable.
Tests and `burnish deploy --sim` talk to the side door `control` (UDP on loopback, one JSON object a datagram, each
answered by one with the same `"number"`): `{"do": "report"}` for what the robot has seen, `{"do": "place", …}` for a
new episode, `{"do": FAULT, …}` to hurt it, `{"do": "stop"}`.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from burnish import processes
from burnish.real.base import RobotError

PRIORITY = 40
READY_S = 30.0
ANSWER_S = 2.0
DATAGRAM = 65_507


class SimulatedRobot(ABC):
    """One robot in its own process: physics and protocol."""

    Config: ClassVar[type]
    """A frozen dataclass; its fields are the flags of `burnish sim-robot NAME`."""
    faults: ClassVar[tuple[str, ...]] = ()
    """What `hurt` understands."""

    @property
    @abstractmethod
    def address(self) -> str:
        """What a driver's `--address` must be."""

    @abstractmethod
    def step(self) -> None:
        """One cycle: answer the driver, move, wait until the next cycle is due."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """What a real robot would know: cycles, lost and late commands, extremes of position, velocity, acceleration,
        jerk, `violations` of its limits by name, the present pose, and where the objects around it are."""

    @abstractmethod
    def hurt(self, fault: str, settings: dict[str, Any]) -> None:
        """Let `fault` (one of `faults`) happen now."""

    def place(self, settings: dict[str, Any]) -> None:
        """Begin a new episode: put the robot and what is around it where `settings` say, at rest.

        Raises `RobotError` while it is commanded, or if it cannot.
        """
        raise RobotError("this simulated robot cannot be placed; start it anew")

    @abstractmethod
    def close(self) -> None:
        """Let go of sockets and files."""


def serve(robot: SimulatedRobot) -> None:
    """Run `robot` until it is told to stop; `KeyboardInterrupt` ends it too.

    It stands for a computer of its own, so it goes before all that runs here.
    """
    processes.real_time(PRIORITY)
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind(("127.0.0.1", 0))
    print(json.dumps({"ready": robot.address, "control": door.getsockname()[1]}), flush=True)
    running = True
    try:
        while running:
            robot.step()
            while select.select([door], [], [], 0)[0]:
                message, sender = door.recvfrom(DATAGRAM)
                answer = _obey(robot, message)
                running = running and "stopped" not in answer
                door.sendto(json.dumps(answer).encode(), sender)
    finally:
        door.close()
        robot.close()


def _obey(robot: SimulatedRobot, message: bytes) -> dict[str, Any]:
    try:
        order = json.loads(message)
        wish, number = order.pop("do"), order.pop("number", None)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return {"refused": f"not an order: {error}"}
    return _done(robot, wish, order) | {"number": number}


def _done(robot: SimulatedRobot, wish: str, order: dict[str, Any]) -> dict[str, Any]:
    if wish == "stop":
        return {"stopped": robot.report()}
    if wish == "report":
        return robot.report()
    if wish != "place" and wish not in robot.faults:
        return {"refused": f"unknown fault {wish!r}; known: {', '.join(robot.faults)}"}
    try:
        robot.place(order) if wish == "place" else robot.hurt(wish, order)
    except RobotError as error:
        return {"refused": str(error)}
    except (LookupError, TypeError, ValueError) as error:  # settings that it does not know what to do with
        return {"refused": f"{order}: {type(error).__name__}: {error}"}
    return {"done": wish}


class Door:
    """The side door of a simulated robot, from the other side."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(ANSWER_S)
        self._turn, self._number = threading.Lock(), 0

    def ask(self, wish: str, **settings: Any) -> dict[str, Any]:
        """What it answers to the order `wish`. Raises `RobotError` if it does not, or refuses."""
        try:
            with self._turn:
                self._number += 1
                self._socket.send(json.dumps({"do": wish, "number": self._number, **settings}).encode())
                answer = self._answer()
        except OSError as error:
            raise RobotError(f"the simulated robot does not answer {wish!r} ({error})") from error
        if "refused" in answer:
            raise RobotError(f"the simulated robot refuses {wish!r}: {answer['refused']}")
        return answer

    def close(self) -> None:
        """Let go of it. Safe to call twice."""
        self._socket.close()

    def _answer(self) -> dict[str, Any]:
        """To the last order; one to an earlier order, which was not waited for, is let pass."""
        while (answer := json.loads(self._socket.recv(DATAGRAM))).pop("number", None) != self._number:
            continue
        return answer


class SimulatedProcess:
    """A simulated robot in a process of its own, for `with`.

    Attributes:
        address: for the driver.
        door: the port of its side door.
        process: to kill.
    """

    def __init__(self, name: str, flags: Sequence[str] = (), log: Path | None = None) -> None:
        """Start `burnish sim-robot NAME FLAGS`, and wait until it can be reached. Raises `RobotError` if it is not.

        Args:
            log: what it says goes there.
        """
        command = [sys.executable, "-m", "burnish", "sim-robot", name, *flags]
        self._said = log.open("wb") if log is not None else None
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env=processes.owned()
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], READY_S)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.process.kill()
            status, called = self.process.wait(), " ".join(command[2:])
            why = f"ended (status {status})" if ready else f"is not ready after {READY_S:g} s"
            raise RobotError(f"`{called}` {why}{_last(log)}")
        said = json.loads(line)
        self.address: str = said["ready"]
        self.door: int = said["control"]
        self._door = Door(self.door)

    def ask(self, wish: str, **settings: Any) -> dict[str, Any]:
        """See `Door.ask`."""
        return self._door.ask(wish, **settings)

    def stop(self) -> dict[str, Any]:
        """End it; what it has seen."""
        seen = self.ask("stop")["stopped"]
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=ANSWER_S)
        return seen

    def __enter__(self) -> SimulatedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._door.close()
        if self._said is not None:
            self._said.close()


def _last(log: Path | None) -> str:
    """What it said at the end, and where the rest stands."""
    if log is None:
        return ""
    said = log.read_text(errors="replace").strip().splitlines()
    return f": {said[-1].removeprefix('burnish: ')} (see {log})" if said else f"; see {log}"
