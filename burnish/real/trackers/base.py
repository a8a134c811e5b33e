"""What every tracker gives: where things are, in the robot's base frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from burnish import registry
from burnish.errors import BurnishError


class TrackerError(BurnishError):
    """A tracker cannot be reached, or has lost what it tracks; the message says what to do."""


class Tracker(Protocol):
    """One that is watching."""

    Config: ClassVar[type]
    """A frozen dataclass; its first field, `address`, is where the tracker is reached."""

    def __init__(self, config: Any) -> None:
        """Reach it. Raises `TrackerError` if that cannot be."""
        ...

    def read(self) -> Mapping[str, np.ndarray]:
        """Name → (7,) position, m, and quaternion w x y z, base frame, of all it sees, no older than 0.1 s.

        Raises `TrackerError` when it does not answer. Called from more than one thread.
        """
        ...

    def close(self) -> None:
        """Let go of it. Safe to call twice."""
        ...


def load_tracker(name: str) -> type[Tracker]:
    """The tracker registered under `name`. Raises `UnknownNameError` with the closest match."""
    return registry.trackers.load(name)
