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
from burnish.real.control import Settings, make_robot
from burnish.real.journal import Recording
from burnish.real.mailbox import PHASES

PLAYING, HALTED = float(PHASES.index("playing")), float(PHASES.index("halted"))
BLOCK = 4096
"""Rows in memory at a time."""


class CyclesReader:
    """A `Reader`. The action of a step is the set point at its end: where the robot was told to be by then."""

    def __init__(self, path: Path, options: Options) -> None:
        recording = Recording(path)
        self._path, self._options, self.losses = path, options, Losses()
        try:
            about, rate = recording.about, float(recording.about["policy_rate_hz"])
            self._ahead = max(round(float(about["rate_hz"]) / rate), 1)
            self.task = f"real/{about['robot']}"
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise CorruptFileError(f"{path / 'cycles.json'}: not of a recording ({error})") from error
        self.contract = self._contract(rate)
        self._names, self._rows = recording.names, recording.rows
        if recording.cut:
            cut = f"the last {recording.cut} bytes are no whole row, and left out"
            self.losses.lines.append(f"{path / 'cycles.f64'}: {cut}")

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
