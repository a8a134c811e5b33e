"""One thread that plans for all clients, one plan after the other."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Worker:
    """Runs jobs in turn, away from the event loop, which meanwhile answers everybody else.

    Not an executor of the standard library: that one makes the interpreter wait, at its end, for a plan that may
    take long.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="planner", daemon=True)
        self._thread.start()

    async def run[T](self, job: Callable[[], T]) -> T:
        """What `job` returns, or raises. A job whose caller has gone by its turn is left out."""
        future: Future[T] = Future()
        self._jobs.put((future, job))
        return await asyncio.wrap_future(future)

    def close(self, timeout_s: float) -> None:
        """Take no more jobs, and wait up to `timeout_s` for the one in hand."""
        self._jobs.put(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            future, job = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)
