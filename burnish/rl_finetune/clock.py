"""Where the wall time of a refinement run goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Adds up wall time by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"environment": 0.0, "inference": 0.0, "update": 0.0}

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Count the enclosed wall time towards `part`."""
        begin = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - begin

    def shares(self) -> dict[str, float]:
        """Fraction of the measured time in each part."""
        total = sum(self.seconds.values()) or 1.0
        return {f"{part}_share": seconds / total for part, seconds in self.seconds.items()}
