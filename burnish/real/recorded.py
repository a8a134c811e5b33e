"""The plain recording of `burnish deploy`: one row per cycle of the robot, and why it halted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from burnish.contract import STATE, Contract
from burnish.datasets.convert.base import End, Frame, Losses, Options
from burnish.datasets.convert.steps import Steps
from burnish.errors import BurnishError, CorruptFileError
from burnish.files import read_json
from burnish.real.control import Settings, make_robot

PLAYING, HALTED = 2.0, 3.0
"""`burnish.real.mailbox.PHASES` as the recording numbers them."""
BLOCK = 4096
"""Rows in memory at a time."""


class CyclesReader:
    """A `Reader`. The action of a step is the set point at its end: where the robot was told to be by then."""

    def __init__(self, path: Path, options: Options) -> None:
        about = read_json(path / "cycles.json")
        self._path, self._options, self.losses = path, options, Losses()
        try:
            self._names, rate = list(about["columns"]), float(about["policy_rate_hz"])
            self._ahead = max(round(float(about["rate_hz"]) / rate), 1)
            self.task = f"real/{about['robot']}"
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise CorruptFileError(f"{path / 'cycles.json'}: not of a recording ({error})") from error
        self.contract = self._contract(rate)
        self._rows = _rows(path / "cycles.f64", len(self._names), self.losses)

    @staticmethod
    def accepts(path: Path) -> bool:
        """A folder with `cycles.json`."""
        return (path / "cycles.json").is_file()

    def frames(self) -> Iterator[Frame | End]:
        """As `Reader` says."""
        options = self._options
        steps = Steps((STATE,), self.contract.action.rate_hz, options.pause_s, options.stale_s)
        state = [self._column(name) for name in self.contract.observation[STATE].names]
        setpoint = [self._column(f"setpoint/{name}") for name in self.contract.action.names]
        phase, time = self._column("phase"), self._column("time_s")
        events, ahead = self._events(), self._ahead
        for first in range(0, max(len(self._rows) - ahead, 0), BLOCK):
            rows = np.array(self._rows[first : first + BLOCK + ahead])
            for now, then in zip(rows[:-ahead], rows[ahead:], strict=True):
                if now[phase] == then[phase] == PLAYING:
                    steps.see(STATE, now[time], now[state].astype(np.float32))
                    yield from steps.act(now[time], then[setpoint].astype(np.float32), False)
                elif then[phase] == HALTED:
                    yield from steps.end("verdict", _nearest(events, then[time]))
                else:
                    yield from steps.end("hold")
        yield from steps.end("end")

    def _column(self, name: str) -> int:
        if name not in self._names:
            raise BurnishError(f"{self._path / 'cycles.json'}: no column {name!r}; the contract is of another robot")
        return self._names.index(name)

    def _events(self) -> list[tuple[float, str]]:
        """When something was said, and what."""
        path, events = self._path / "events.jsonl", []
        for line in path.read_text().splitlines() if path.exists() else ():
            with suppress(json.JSONDecodeError):  # the last line, which was being written
                event = json.loads(line)
                events.append((float(event["time_s"]), str(event["line"])))
        return events

    def _contract(self, rate_hz: float) -> Contract:
        if self._options.contract is not None:
            return Contract.load(self._options.contract)
        settings = Settings.read(self._path / "control.json")
        known: Any = make_robot(settings.robot, settings.config).spec.contract
        state, action = (replace(field, rate_hz=rate_hz) for field in (known.observation[STATE], known.action))
        return Contract({STATE: state}, action)


def _nearest(events: list[tuple[float, str]], time_s: float) -> str:
    return min(events, key=lambda event: abs(event[0] - time_s))[1] if events else ""


def _rows(path: Path, width: int, losses: Losses) -> np.ndarray:
    """(N, width), mapped from the file."""
    if not path.exists():
        raise CorruptFileError(f"{path}: the file is missing; was its folder written by `burnish deploy`?")
    size, row = path.stat().st_size, 8 * width
    if size < row:
        raise CorruptFileError(f"{path}: no whole row in it; nothing was recorded")
    if size % row:
        losses.lines.append(f"{path}: the last {size % row} bytes are no whole row, and left out")
    return np.memmap(path, "<f8", "r", shape=(size // row, width))
