"""The caller's side of a worker process: start it, talk to it, notice its death."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

from burnish.errors import BurnishError
from burnish.sim import worker
from burnish.sim.groups import LaneSpec

CLOSE_TIMEOUT_S = 5.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Workers share the cores already; a BLAS pool in each would fight over them."""


class WorkerError(BurnishError):
    """A simulator raised, or a worker process died."""


class DeadWorkerError(WorkerError):
    """A worker process died. `lanes`: those it had; `lane`: the one it was busy with, None if with none."""

    def __init__(self, lanes: slice, status: int | None) -> None:
        self.what = f"the worker process of lanes {lanes.start} to {lanes.stop - 1} died (exit status {status})"
        super().__init__(f"{self.what}; its messages stand above. If memory ran out, use fewer lanes or workers")
        self.lanes = lanes
        self.lane: int | None = None


class Worker:
    """One process and the caller's end of its socket."""

    def __init__(self, spec: LaneSpec, first: int, count: int, memory: IO[bytes]) -> None:
        self.lanes = slice(first, first + count)
        self.busy = True
        self.connection, theirs = socket.socketpair()
        arguments = dataclasses.asdict(spec) | {
            "first": first,
            "lanes": count,
            "socket": theirs.fileno(),
            "memory": memory.fileno(),
            "parent": os.getpid(),
        }
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", worker.__name__, json.dumps(arguments)],
                pass_fds=(theirs.fileno(), memory.fileno()),
                stdin=subprocess.DEVNULL,
                # Its own session: a Ctrl-C in the terminal reaches the caller alone.
                start_new_session=True,
                env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )

    def send(self, command: bytes, payload: bytes | None) -> None:
        """Give it `command`; `receive` must follow."""
        with self._alive():
            if payload is None:
                self.connection.sendall(command)
            else:
                worker.send_data(self.connection, command, payload)
        self.busy = True

    def receive(self) -> bytes:
        """Wait for its answer. Raises `WorkerError` if the simulator raised, `DeadWorkerError` if the process died."""
        with self._alive():
            kind = self.connection.recv(1)
            if not kind:
                raise EOFError
            data = b"" if kind == worker.DONE else worker.receive_data(self.connection)
        self.busy = False
        if kind == worker.FAILED:
            report = json.loads(data)
            raise WorkerError(f"the simulator failed in lane {report['lane']}:\n{report['error']}")
        return data

    def wait(self) -> None:
        """Until the process ended, which it does when its connection is closed; killed if it does not."""
        try:
            self.process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, ConnectionError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
            raise DeadWorkerError(self.lanes, self.process.returncode) from error
