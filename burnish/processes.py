"""What a process is among others: which of a launcher's, with what priority, and until when."""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

ENDS_WITH_OWNER = "BURNISH_ENDS_WITH_OWNER"
"""Set for a child process whose standard input its owner holds open: it ends when that closes, even by a kill."""


def count() -> int:
    """Processes that work on one run, started by `accelerate launch` or `torchrun`; 1 without a launcher."""
    launched = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()
    return int(os.environ["WORLD_SIZE"]) if launched else 1


def rank() -> int:
    """This one's number, 0 … `count` − 1. The first alone writes files and speaks to the user."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def real_time(priority: int) -> None:
    """Go first (SCHED_FIFO) where this user may; else the process is as punctual as the machine is idle."""
    if hasattr(os, "sched_setscheduler"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        except PermissionError:
            return


def stay_awake() -> None:
    """Keep the cores from sleeping until this process ends, where this user may (Linux: PM QoS).

    A core that slept takes long to wake, and what it computes first takes several times as long as usual.
    """
    try:
        latency_us = os.open("/dev/cpu_dma_latency", os.O_WRONLY)
        os.write(latency_us, struct.pack("i", 0))  # in force as long as it is open
    except OSError:
        return


def interrupt_on_terminate() -> None:
    """SIGTERM is what Ctrl-C is, and so is a terminal that goes away, unless it was started to outlive it (`nohup`).
    Both come once: a second signal must not cut the clean-up short."""
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _interrupt)


@contextmanager
def interrupted_once() -> Iterator[None]:
    """Ctrl-C too comes once in this block, whose end must not be cut short: what it holds moves."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _interrupt:  # else it came, and the whole process ends
            signal.signal(signal.SIGINT, before)


def _interrupt(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def owned() -> dict[str, str]:
    """The environment of a child that is to end with its owner, which gives it a pipe as standard input."""
    return os.environ | {ENDS_WITH_OWNER: "1"}


def end_with_owner() -> None:
    """In such a child: SIGTERM when the owner is gone."""
    if os.environ.pop(ENDS_WITH_OWNER, None):
        threading.Thread(target=_await_end, daemon=True).start()


def _await_end() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
