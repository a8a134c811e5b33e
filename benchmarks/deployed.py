"""`burnish deploy` of a Unitree robot, beside a thread that asks the simulated one how it is: what benchmarks share."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from burnish.commands import deploy
from burnish.real.base import load_robot
from burnish.real.journal import Recording
from burnish.real.recorded import PLAYING
from burnish.real.simulated import SimulatedProcess
from burnish.real.unitree.driver import UnitreeConfig

LOOK_S, STANDS_S = 0.1, 3.5
"""STANDS_S: after the first command the policy has the robot."""


class Deployed(NamedTuple):
    """What came of it, while the policy played.

    Attributes:
        session: what it counted.
        rows: (T, …) of the recording, and
        names: of its columns.
        looks: the simulated robot's reports, every LOOK_S; of one with a strap, since that came off.
        fell: whether it did.
    """

    session: dict[str, Any]
    rows: np.ndarray
    names: list[str]
    looks: list[dict[str, Any]]
    fell: bool

    @property
    def clock(self) -> np.ndarray:
        """(T,) s, the robot's own."""
        return self.rows[:, self.names.index("time_s")]

    def seen(self, *names: str) -> np.ndarray:
        """(L, …) numbers of the looks, side by side."""
        return np.array([np.hstack([look[name] for name in names]) for look in self.looks])


def deployed(name: str, checkpoint: str, settings: UnitreeConfig, seconds: float, folder: Path) -> Deployed:
    """Let the policy `checkpoint` move the simulated robot `name`, in a DDS domain of its own."""
    settings, out = replace(settings, domain=1 + os.getpid() % 200), folder / "deploy"
    strap, looks, done = load_robot(name).lets_go(settings), [], threading.Event()
    with SimulatedProcess(name, ["--domain", str(settings.domain)], folder / "log") as robot:

        def watch() -> None:
            strapped, first = bool(strap), None
            while not done.wait(LOOK_S):
                seen = robot.ask("report")
                first = seen["clock_s"] if first is None and seen["commands"] else first
                if strapped and first is not None and seen["clock_s"] - first > STANDS_S:
                    robot.ask(strap)
                    strapped = False
                if not strapped:
                    looks.append(seen)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            found = deploy.run(deploy.Config(checkpoint, name, settings, seconds=seconds, out=out))
        finally:
            done.set()
            watcher.join()
        fell = robot.ask("report")["fell"]
    recording = Recording(out)
    names, rows = list(recording.names), np.array(recording.rows)
    rows = rows[rows[:, names.index("phase")] == PLAYING]
    clock = rows[:, names.index("time_s")]
    return Deployed(found, rows, names, [look for look in looks if clock[0] <= look["clock_s"] <= clock[-1]], fell)
