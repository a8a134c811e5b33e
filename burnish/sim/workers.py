"""Lanes stepped in this process or shared among worker processes; bit for bit the same either way.

Observations, actions and flags live in one block of shared memory; a step costs one byte to every worker and
one byte back, whatever the number of lanes. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import mmap
import os
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, override

from burnish.errors import BurnishError
from burnish.sim import worker
from burnish.sim.lanes import Arrays, Buffers, LaneError, LaneGroup, Layout, make_lane

CLOSE_TIMEOUT_S = 5.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Workers share the cores already; a BLAS pool in each would fight over them."""


class WorkerError(BurnishError):
    """A simulator raised, or a worker process died."""


@dataclass(frozen=True)
class LaneSpec:
    """How to make the lanes: `factory` is "package.module:Class", `arguments` its keyword arguments (plain JSON)."""

    factory: str
    arguments: Mapping[str, Any]
    layout: Layout
    horizon: int
    auto_reset: bool


class Pool(ABC):
    """N lanes behind `buffers`. Commands go to the lanes marked in `buffers.active`."""

    buffers: Buffers

    @abstractmethod
    def step(self) -> None:
        """`LaneGroup.step` in every active lane."""

    @abstractmethod
    def reset(self) -> None:
        """`LaneGroup.reset` in every active lane."""

    @abstractmethod
    def states(self) -> list[Arrays]:
        """One snapshot per lane."""

    @abstractmethod
    def restore(self, states: Sequence[Arrays]) -> None:
        """The inverse of `states`."""

    @abstractmethod
    def poses(self) -> list[Arrays]:
        """What a renderer needs, of every active lane."""

    @abstractmethod
    def close(self) -> None:
        """Free everything. Safe to call twice."""


def make_pool(spec: LaneSpec, workers: int) -> Pool:
    """`workers` processes share the lanes, this one among them; with 0 or 1 it steps them all."""
    if workers < 0:
        raise BurnishError(f"workers must be 0 or more, not {workers}")
    workers = min(workers, spec.layout.num_envs)
    return WorkerPool(spec, workers) if workers > 1 else LocalPool(spec)


class LocalPool(Pool):
    """All lanes in this process."""

    def __init__(self, spec: LaneSpec) -> None:
        self.buffers = _fresh(spec.layout.arrays(bytearray(spec.layout.nbytes)))
        self._group = _own_group(spec, spec.layout.num_envs, self.buffers)

    @override
    def step(self) -> None:
        with _named_lane():
            self._group.step()

    @override
    def reset(self) -> None:
        with _named_lane():
            self._group.reset()

    @override
    def states(self) -> list[Arrays]:
        return self._group.states()

    @override
    def restore(self, states: Sequence[Arrays]) -> None:
        self._group.restore(states)

    @override
    def poses(self) -> list[Arrays]:
        return self._group.poses()

    @override
    def close(self) -> None:
        self._group.lanes = ()


class WorkerPool(Pool):
    """Lanes split into contiguous blocks. This process steps the first one while the workers step theirs: it would
    only wait, and a core that sleeps takes longer to wake than a lane takes to step."""

    def __init__(self, spec: LaneSpec, workers: int) -> None:
        shared_memory = Path("/dev/shm")
        edges = [spec.layout.num_envs * index // workers for index in range(workers + 1)]
        self._workers: list[_Worker] = []
        # An unlinked file: it vanishes with the last process that maps it, even after kill -9.
        with tempfile.TemporaryFile(dir=shared_memory if shared_memory.is_dir() else None) as memory:
            memory.truncate(spec.layout.nbytes)
            self.buffers = _fresh(spec.layout.arrays(mmap.mmap(memory.fileno(), spec.layout.nbytes)))
            try:
                for first, end in pairwise(edges[1:]):
                    self._workers.append(_Worker(spec, first, end - first, memory))
                self._own = slice(0, edges[1])
                self._group = _own_group(spec, edges[1], self.buffers)
                self._collect()
            except BaseException:
                self.close()
                raise

    @override
    def step(self) -> None:
        self._exchange(worker.STEP, self._group.step)

    @override
    def reset(self) -> None:
        self._exchange(worker.RESET, self._group.reset)

    @override
    def states(self) -> list[Arrays]:
        own, others = self._exchange(worker.STATES, self._group.states, everyone=True)
        return own + others

    @override
    def restore(self, states: Sequence[Arrays]) -> None:
        payloads = [worker.pack(list(states[one.lanes])) for one in self._workers]
        self._exchange(worker.RESTORE, lambda: self._group.restore(states[self._own]), payloads, everyone=True)

    @override
    def poses(self) -> list[Arrays]:
        own, others = self._exchange(worker.POSES, self._group.poses)
        return own + others

    @override
    def close(self) -> None:
        for one in self._workers:
            one.connection.close()
        for one in self._workers:
            try:
                one.process.wait(CLOSE_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
        self._workers = []

    def _exchange(
        self, command: bytes, own: Callable[[], Any], payloads: Sequence[bytes] = (), *, everyone: bool = False
    ) -> tuple[Any, list[Arrays]]:
        try:
            for index, one in enumerate(self._workers):
                if everyone or self.buffers.active[one.lanes].any():
                    one.send(command, payloads[index] if payloads else None)
            with _named_lane():
                result = own()
            return result, self._collect()
        except BaseException:
            # Half an exchange (an error, Ctrl-C) leaves replies under way that the next command would take for its own.
            self.close()
            raise

    def _collect(self) -> list[Arrays]:
        replies = [one.receive() for one in self._workers if one.busy]
        return [arrays for data in replies if data for arrays in worker.unpack(data)]


class _Worker:
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
        with self._alive():
            if payload is None:
                self.connection.sendall(command)
            else:
                worker.send_data(self.connection, command, payload)
        self.busy = True

    def receive(self) -> bytes:
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

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, ConnectionError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
            lanes = f"lanes {self.lanes.start} to {self.lanes.stop - 1}"
            raise WorkerError(
                f"the worker process of {lanes} died (exit status {self.process.returncode}); "
                "its messages stand above. If memory ran out, use fewer lanes or workers"
            ) from error


@contextlib.contextmanager
def _named_lane() -> Iterator[None]:
    try:
        yield
    except LaneError as error:
        raise WorkerError(f"{error}: {type(error.__cause__).__name__}: {error.__cause__}") from error.__cause__


def _own_group(spec: LaneSpec, count: int, buffers: Buffers) -> LaneGroup:
    lanes = [make_lane(spec.factory, spec.arguments) for _ in range(count)]
    return LaneGroup(lanes, 0, buffers, spec.horizon, spec.auto_reset)


def _fresh(buffers: Buffers) -> Buffers:
    buffers.steps[:] = -1
    buffers.ended[:] = True
    return buffers
