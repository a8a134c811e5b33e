"""Nodes in processes of their own, started again when they die, ended in order: what `ros2 launch` does, without it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from burnish.errors import BurnishError
from burnish.processes import owned
from burnish.real.ros.words import command

REFUSED = 2
"""Exit status of a node that was to start by itself and cannot: starting it again would not help."""
LOOK_S, PAUSE_S, END_S = 0.1, 1.0, 20.0


@dataclass(frozen=True)
class Part:
    """One node.

    Attributes:
        parameters: with which it starts.
        again: what is different when it is started again after it died.
        advice: what the user should know then.
    """

    executable: str
    name: str
    parameters: Mapping[str, Any]
    again: Mapping[str, Any]
    advice: str


class Supervisor:
    """Runs nodes; for `with`.

    Attributes:
        processes: by the node's name.
    """

    def __init__(self, parts: Sequence[Part], say: Callable[[str], None]) -> None:
        """Start them. They are ended in the order of `parts`: who moves something comes first."""
        self._parts, self._say = parts, say
        self.processes = {part.name: _start(part, part.parameters) for part in parts}

    def run(self) -> None:
        """Until Ctrl-C. Raises `BurnishError` if a node cannot start."""
        while True:
            for part in self._parts:
                status = self.processes[part.name].poll()
                if status == REFUSED:
                    raise BurnishError(f"the node {part.name!r} cannot start; why is what it said last")
                if status is not None:
                    self._say(f"the node {part.name!r} died (status {status}) and is started again; {part.advice}")
                    time.sleep(PAUSE_S)
                    self.processes[part.name] = _start(part, {**part.parameters, **part.again})
            time.sleep(LOOK_S)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts:
            process = self.processes[part.name]
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._say(f"the node {part.name!r} does not end; killed")
                process.kill()
                process.wait()


def _start(part: Part, parameters: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    # Ctrl-C is for the supervisor, which ends them in order.
    words = command(part.executable, part.name, parameters)
    return subprocess.Popen(words, stdin=subprocess.PIPE, env=owned(), start_new_session=True)
