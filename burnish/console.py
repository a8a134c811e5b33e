"""What a user sees while a stage works: one plain-language line, then a progress bar."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from burnish import processes

PLAIN_INTERVAL_S = 15.0
"""Without a terminal (a log file, CI) a line is printed this often instead of a bar."""


class Advance(Protocol):
    """Moves a progress bar by `steps`; `note` is a short text shown beside it."""

    def __call__(self, steps: int = 1, note: str = "") -> None:
        """Move by `steps`."""
        ...


def say(line: str) -> None:
    """One line to the user, on standard error, so that results on standard output stay clean."""
    if processes.rank() > 0:
        return
    from rich.console import Console

    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(line)


@contextmanager
def track(what: str, total: int, done: int = 0) -> Iterator[Advance]:
    """A progress bar over `total` units of work, `done` of them already there."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal or processes.rank() > 0:
        yield _plain(what, total, done)
        return
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as bar:
        task = bar.add_task(what, total=total, completed=done, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            bar.advance(task, steps)
            if note:
                bar.update(task, note=note)

        yield advance


def _plain(what: str, total: int, done: int) -> Advance:
    count, last = done, time.monotonic()

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal count, last
        count += steps
        if count >= total or time.monotonic() - last > PLAIN_INTERVAL_S:
            last = time.monotonic()
            say(f"{what}: {count}/{total} {note}".rstrip())

    return advance
