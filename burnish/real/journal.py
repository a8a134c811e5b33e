"""What a robot did, written down cycle by cycle so that a crash loses nothing that was already there.

`cycles.f64` holds one row of little-endian float64 per cycle, whose columns `cycles.json` names; `events.jsonl` one
line for whatever happened. Both only ever grow.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from burnish.console import say
from burnish.errors import BurnishError, CorruptFileError
from burnish.files import read_json, write_json
from burnish.real.base import RobotSpec
from burnish.real.mailbox import PARTS, Layout

if TYPE_CHECKING:
    from burnish.real.control import Settings


class Journal:
    """Writes. A full disk ends the recording, never the robot's motion: it is said once, and counted."""

    def __init__(self, folder: Path, spec: RobotSpec, layout: Layout, settings: Settings) -> None:
        """Go on with what is in `folder`.

        Raises `BurnishError` if that is of another robot, at another rate, or being written by another session.
        """
        names = list(layout.columns) + list(spec.state.names)
        for part in PARTS:
            names += [f"{part}/{name}" for name in spec.contract.action.names]
        about = {"robot": spec.name, "rate_hz": spec.rate_hz, "policy_rate_hz": settings.rate_hz, "columns": names}
        self._row, self.lost = 8 * len(names), 0
        self._cycles = (folder / "cycles.f64").open("ab", 0)
        try:
            self._claim(folder, about)
            self._events = (folder / "events.jsonl").open("a")
        except BaseException:
            self._cycles.close()
            raise

    def _claim(self, folder: Path, about: dict[str, Any]) -> None:
        """For this session alone, as long as it lives."""
        try:
            fcntl.flock(self._cycles, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BurnishError(f"{folder}: another session records there; choose another folder (--out)") from error
        if os.fstat(self._cycles.fileno()).st_size:
            if (earlier := read_json(folder / "cycles.json")) != about:
                differing = ", ".join(f"{key} {earlier.get(key)!r}" for key in about if earlier.get(key) != about[key])
                raise BurnishError(f"{folder} holds another recording ({differing}); choose another folder (--out)")
            self._cut()
        write_json(folder / "cycles.json", about)

    def _cut(self) -> None:
        """A row that a kill or a full disk cut would shift all that follow."""
        size = os.fstat(self._cycles.fileno()).st_size
        if size % self._row:
            os.ftruncate(self._cycles.fileno(), size - size % self._row)

    def add(self, rows: np.ndarray) -> None:
        """(N, width) cycles."""
        self._write(lambda: self._append(memoryview(rows.astype("<f8").tobytes())), len(rows))

    def _append(self, data: memoryview) -> None:
        try:
            while data:
                data = data[self._cycles.write(data) :]
        except OSError:
            self._cut()
            raise

    def event(self, rule: str, line: str, time_s: float) -> None:
        """Something happened at `time_s` of the robot's clock."""
        said = {"time_s": round(time_s, 4), "wall": time.time(), "rule": rule, "line": line}
        self._write(lambda: self._events.write(json.dumps(said) + "\n"), 1)
        self._write(self._events.flush, 0)

    def close(self) -> None:
        """The last of it."""
        for file in (self._cycles, self._events):
            self._write(file.close, 0)

    def _write(self, write: object, rows: int) -> None:
        try:
            write()  # pyright: ignore[reportCallIssue]
        except OSError as error:
            if not self.lost:
                say(f"  not recorded any more: {error.strerror}; the robot goes on")
            self.lost += max(rows, 1)


class Recording:
    """What a `Journal` wrote, read where it lies.

    Attributes:
        about: `cycles.json`.
        names: of the columns.
        rows: (N, columns), mapped from the file.
        cut: bytes of a last row that is not whole, and left out.
    """

    def __init__(self, folder: Path) -> None:
        """Raises `CorruptFileError` if there is none in `folder`, or nothing in it."""
        path = folder / "cycles.f64"
        self.about: dict[str, Any] = read_json(folder / "cycles.json")
        self.names: list[str] = self.about.get("columns", [])
        if not path.exists():
            raise CorruptFileError(f"{path}: the file is missing; was {folder} written by `burnish deploy`?")
        if not self.names:
            raise CorruptFileError(f"{folder / 'cycles.json'}: names no columns; was it written by `burnish deploy`?")
        size, row = path.stat().st_size, 8 * len(self.names)
        if size < row:
            raise CorruptFileError(f"{path}: no whole row in it; nothing was recorded")
        self.cut = size % row
        self.rows = np.memmap(path, "<f8", "r", shape=(size // row, len(self.names)))


def read_cycles(folder: Path) -> tuple[list[str], np.ndarray]:
    """Names of the columns and (N, columns) of a recording. Raises `CorruptFileError` as `Recording`."""
    recording = Recording(folder)
    return recording.names, np.array(recording.rows)


def count_halts(folder: Path) -> int:
    """How often the robot was halted in a recording. Raises `CorruptFileError` as `Recording`."""
    names, cycles = read_cycles(folder)
    return int(np.maximum(np.diff(cycles[:, names.index("verdicts")], prepend=0.0), 0.0).sum())
