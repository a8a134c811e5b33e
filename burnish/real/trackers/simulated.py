"""The simulated robot's own knowledge of what lies around it, as a tracker would see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from burnish.errors import BurnishError
from burnish.real.base import RobotError
from burnish.real.simulated import Door
from burnish.real.trackers.base import TrackerError


@dataclass(frozen=True)
class SimulatedTrackerConfig:
    """Whose side door is asked."""

    address: int
    """The port that `burnish sim-robot` prints as "control"."""

    def __post_init__(self) -> None:
        if not isinstance(self.address, int) or not 0 < self.address < 1 << 16:
            told = 'the port that `burnish sim-robot` prints as "control"'
            raise BurnishError(f"tracker simulated: its address is {told}; {self.address!r} is none")


class SimulatedTracker:
    """Asks the simulated robot at every reading."""

    Config = SimulatedTrackerConfig

    def __init__(self, config: SimulatedTrackerConfig) -> None:
        self._door = Door(config.address)

    def read(self) -> Mapping[str, np.ndarray]:
        """See `Tracker.read`."""
        try:
            seen = self._door.ask("report")["poses"]
        except RobotError as error:
            raise TrackerError(f"simulated tracker: {error}") from error
        except KeyError as error:
            raise TrackerError("this simulated robot does not say where things are; franka does") from error
        return {name: np.array(pose) for name, pose in seen.items()}

    def close(self) -> None:
        """Let go of the door."""
        self._door.close()
