"""The plain recording of `burnish deploy`: one row per cycle of the robot, and why it halted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from burnish.contract import STATE, Contract
from burnish.datasets.convert.base import End, Frame, Losses, Options
from burnish.datasets.convert.steps import Steps
from burnish.errors import BurnishError, CorruptFileError
from burnish.real.base import Robot, Translator
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
        setpoint, translator = self._setpoint()
        phase, time = self._column("phase"), self._column("time_s")
        events, ahead = self._events(), self._ahead
        for first in range(0, max(len(self._rows) - ahead, 0), BLOCK):
            rows = np.array(self._rows[first : first + BLOCK + ahead])
            actions = rows[ahead:, setpoint]
            if translator is not None:
                actions = translator.actions(actions)
            for now, then, action in zip(rows[:-ahead], rows[ahead:], actions, strict=True):
                if now[phase] == then[phase] == PLAYING:
                    steps.see(STATE, now[time], now[state].astype(np.float32))
                    yield from steps.act(now[time], action.astype(np.float32), False)
                elif then[phase] == HALTED:
                    yield from steps.end("verdict", _nearest(events, then[time]))
                else:
                    yield from steps.end("hold")
        yield from steps.end("end")

    def _setpoint(self) -> tuple[list[int], Translator | None]:
        """Columns of the set point, and what makes actions of it, where these are something else."""
        names, translator = self.contract.action.names, None
        if f"setpoint/{names[0]}" not in self._names and (self._path / "control.json").exists():
            robot = self._robot()
            if robot.spec.action.names == names:
                names, translator = robot.spec.contract.action.names, robot.translator
        return [self._column(f"setpoint/{name}") for name in names], translator

    def _robot(self) -> Robot:
        settings = Settings.read(self._path / "control.json")
        return make_robot(settings.robot, settings.config)

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
        spec = self._robot().spec
        state, action = (replace(field, rate_hz=rate_hz) for field in (spec.state, spec.action))
        return Contract({STATE: state}, action)


def _nearest(events: list[tuple[float, str]], time_s: float) -> str:
    return min(events, key=lambda event: abs(event[0] - time_s))[1] if events else ""
