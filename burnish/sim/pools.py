"""Lanes stepped in this process or shared among worker processes; bit for bit the same either way.

Observations, actions and flags live in one block of shared memory; a step costs one byte to every worker and
one byte back, whatever the number of lanes. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import mmap
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, override

from burnish.console import say
from burnish.errors import BurnishError
from burnish.sim import worker
from burnish.sim.groups import LaneSpec, make_group, one_by_one
from burnish.sim.lanes import Arrays, Buffers, LaneError
from burnish.sim.workers import DeadWorkerError, Worker, WorkerError

STARTS = 3
"""How often worker processes are started that die while they build their lanes."""


class Pool(ABC):
    """N lanes behind `buffers`. Commands go to the lanes marked in `buffers.active`."""

    buffers: Buffers
    closed: bool = False
    """True after `close`, and after a failure that left lanes in an unknown state."""

    @abstractmethod
    def step(self) -> None:
        """`LaneGroup.step` in every active lane."""

    @abstractmethod
    def step_chunk(self) -> None:
        """`LaneGroup.step_chunk` in every active lane; not where all lanes are stepped at once."""

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
    def look(self) -> None:
        """`LaneGroup.look` in every active lane."""

    def beside(self) -> Pool | None:
        """The same lanes in other processes alone, before their first reset (`VecEnv.step_beside`); this pool is then
        no longer used, unless it is the same. None where that cannot be."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Free everything. Safe to call twice."""


def make_pool(spec: LaneSpec, workers: int) -> Pool:
    """`workers` processes share the lanes, this one among them; with 0 or 1 it steps them all, and so it does where all
    lanes are stepped at once.

    With images, two or more `workers` are all processes of their own: OpenGL drivers crash, and one that takes a worker
    along can be started again. One that dies before it is ready is, `STARTS` times in all.
    """
    if workers < 0:
        raise BurnishError(f"workers must be 0 or more, not {workers}")
    workers = min(workers, spec.layout.num_envs)
    if workers < 2 or spec.group:
        return LocalPool(spec)
    for _ in range(STARTS - 1):
        try:
            return WorkerPool(spec, workers)
        except DeadWorkerError as error:
            say(f"  {error.what} before it was ready; started again")
    return WorkerPool(spec, workers)


class LocalPool(Pool):
    """All lanes in this process."""

    def __init__(self, spec: LaneSpec) -> None:
        self.buffers = fresh(spec.layout.arrays(bytearray(spec.layout.nbytes)))
        self._spec, self._group = spec, make_group(spec, 0, spec.layout.num_envs, self.buffers)

    @override
    def beside(self) -> Pool | None:
        """One more process steps all lanes, if at once: the interpreter has one lock, also between two calls."""
        if not self._spec.group:
            return None
        self.close()
        return WorkerPool(self._spec, 1, beside=True)

    @override
    def step(self) -> None:
        self._do(self._group.step)

    @override
    def step_chunk(self) -> None:
        self._do(one_by_one(self._group).step_chunk)

    @override
    def reset(self) -> None:
        self._do(self._group.reset)

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
    def look(self) -> None:
        self._do(self._group.look)

    @override
    def close(self) -> None:
        self.closed = True
        self._group.close()

    def _do(self, command: Callable[[], None]) -> None:
        try:
            with _named_lane():
                command()
        except WorkerError:
            self.close()
            raise


class WorkerPool(Pool):
    """Lanes split into contiguous blocks. This process steps the first one while the workers step theirs: it would
    only wait, and a core that sleeps takes longer to wake than a lane takes to step. It steps none if it has work
    `beside`, or if there are images."""

    def __init__(self, spec: LaneSpec, workers: int, *, beside: bool = False) -> None:
        shared_memory = Path("/dev/shm")
        self._spec = spec
        edges = [spec.layout.num_envs * index // workers for index in range(workers + 1)]
        if spec.layout.looks or beside:
            edges = [0, *edges]
        self._workers: list[Worker] = []
        # An unlinked file: it vanishes with the last process that maps it, even after kill -9.
        place = shared_memory if shared_memory.is_dir() else None
        self._memory = tempfile.TemporaryFile(dir=place)  # noqa: SIM115, `close` closes it
        self._memory.truncate(spec.layout.nbytes)
        self.buffers = fresh(spec.layout.arrays(mmap.mmap(self._memory.fileno(), spec.layout.nbytes)))
        try:
            for first, end in pairwise(edges[1:]):
                self._workers.append(Worker(spec, first, end - first, self._memory))
            self._own = slice(0, edges[1])
            self._group = make_group(spec, 0, edges[1], self.buffers)
            self._collect()
        except BaseException:
            self.close()
            raise

    @override
    def beside(self) -> Pool | None:
        """The lanes of this process go to one more worker."""
        if self._own.stop:
            self._workers.insert(0, Worker(self._spec, 0, self._own.stop, self._memory))
            self._own, self._group = slice(0, 0), make_group(self._spec, 0, 0, self.buffers)
            self._collect()
        return self

    @override
    def step(self) -> None:
        self._exchange(worker.STEP, self._group.step)

    @override
    def step_chunk(self) -> None:
        self._exchange(worker.STEP_CHUNK, one_by_one(self._group).step_chunk)

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
    def look(self) -> None:
        self._exchange(worker.LOOK, self._group.look)

    @override
    def close(self) -> None:
        self.closed = True
        for one in self._workers:
            one.connection.close()
        for one in self._workers:
            one.wait()
        self._workers = []
        self._memory.close()

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
        except BaseException as error:
            if isinstance(error, DeadWorkerError):
                busy = range(error.lanes.start, error.lanes.stop)
                error.lane = next((lane for lane in busy if self.buffers.working[lane]), None)
            # Half an exchange (an error, Ctrl-C) leaves replies under way that the next command would take for its own.
            self.close()
            raise

    def _collect(self) -> list[Arrays]:
        replies = [one.receive() for one in self._workers if one.busy]
        return [arrays for data in replies if data for arrays in worker.unpack(data)]


@contextlib.contextmanager
def _named_lane() -> Iterator[None]:
    try:
        yield
    except LaneError as error:
        raise WorkerError(f"{error}: {type(error.__cause__).__name__}: {error.__cause__}") from error.__cause__


def fresh(buffers: Buffers) -> Buffers:
    """`buffers` of lanes that all wait for a reset."""
    buffers.steps[:] = -1
    buffers.ended[:] = True
    return buffers
