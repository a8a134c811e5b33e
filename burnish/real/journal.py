"""What a robot did, written down cycle by cycle so that a crash loses nothing that was already there.

`cycles.f64` holds one row of little-endian float64 per cycle, whose columns `cycles.json` names; `events.jsonl` one
line for whatever happened. Both only ever grow.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from burnish.console import say
from burnish.errors import CorruptFileError
from burnish.files import read_json, write_json
from burnish.real.base import RobotSpec

if TYPE_CHECKING:
    from burnish.real.control import Settings
    from burnish.real.mailbox import Layout

FLUSH_S = 0.5


class Journal:
    """Writes. A full disk ends the recording, never the robot's motion: it is said once, and counted."""

    def __init__(self, folder: Path, spec: RobotSpec, layout: Layout, settings: Settings) -> None:
        names = list(layout.columns) + list(spec.state.names)
        for part in ("measured", "effort", "setpoint", "velocity"):
            names += [f"{part}/{name}" for name in spec.contract.action.names]
        about = {"robot": spec.name, "rate_hz": spec.rate_hz, "policy_rate_hz": settings.rate_hz, "columns": names}
        write_json(folder / "cycles.json", about)
        self._cycles, self._events = (folder / "cycles.f64").open("ab"), (folder / "events.jsonl").open("a")
        self._flushed, self.lost = time.monotonic(), 0

    def add(self, rows: np.ndarray) -> None:
        """(N, width) cycles."""
        self._write(lambda: self._cycles.write(rows.astype("<f8").tobytes()), len(rows))

    def event(self, rule: str, line: str, time_s: float) -> None:
        """Something happened at `time_s` of the robot's clock."""
        said = {"time_s": round(time_s, 4), "wall": time.time(), "rule": rule, "line": line}
        self._write(lambda: self._events.write(json.dumps(said) + "\n"), 1)
        self._write(self._events.flush, 0)

    def flush(self) -> None:
        """To the disk, now and then."""
        if time.monotonic() - self._flushed > FLUSH_S:
            self._flushed = time.monotonic()
            self._write(self._cycles.flush, 0)

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


def read_cycles(folder: Path) -> tuple[list[str], np.ndarray]:
    """Names of the columns and (N, columns) of a recording; a last row that was cut is left out.

    Raises `CorruptFileError` if it is none.
    """
    about, path = read_json(folder / "cycles.json"), folder / "cycles.f64"
    if not path.exists():
        raise CorruptFileError(f"{path}: missing; was {folder} written by `burnish deploy`?")
    names = about["columns"]
    numbers = np.fromfile(path, "<f8")
    return names, numbers[: len(numbers) // len(names) * len(names)].reshape(-1, len(names))
