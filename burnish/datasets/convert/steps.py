"""What was seen and commanded, at whatever times, becomes frames at the policy's rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from burnish.datasets.convert.base import End, Frame


class Command(NamedTuple):
    """A command, when it was given, and what had been seen by then."""

    time_s: float
    frame: Frame


class Steps:
    """Fed with everything in the order of time; gives the frames that are settled.

    Step k of an episode lies at its first command's time + k / rate. Its action is the command nearest to that time,
    its observations are the latest ones at the time of that command: no command sees what it caused.
    """

    def __init__(self, keys: Sequence[str], rate_hz: float, pause_s: float, stale_s: float) -> None:
        """`keys`: observations without which there is no frame."""
        self._keys, self._period_s = keys, 1.0 / rate_hz
        self._pause_s, self._stale_s = max(pause_s, 1.5 / rate_hz), stale_s
        self._seen: dict[str, tuple[float, np.ndarray]] = {}
        self._last: Command | None = None
        self._due_s = 0.0
        self.missing: dict[str, int] = {}
        """Commands that made no frame, by the observation that they lacked."""

    def see(self, key: str, time_s: float, value: np.ndarray) -> None:
        """An observation."""
        self._seen[key] = (time_s, value)

    def act(self, time_s: float, action: np.ndarray, intervention: bool) -> Iterator[Frame | End]:
        """A command."""
        if self._last is not None and time_s - self._last.time_s > self._pause_s:
            yield from self.end("pause", f"{time_s - self._last.time_s:.1f} s without a command")
        lacking = [key for key in self._keys if not self._fresh(key, time_s)]
        if lacking:
            self.missing[lacking[0]] = self.missing.get(lacking[0], 0) + 1
            yield from self.end("stale", lacking[0])
            return
        obs: Mapping[str, np.ndarray] = {key: self._seen[key][1] for key in self._keys}
        now = Command(time_s, Frame(obs, action, intervention))
        if self._last is None:
            self._due_s = time_s
        else:
            yield from self._settled(time_s)
        self._last = now

    def end(self, reason: str, detail: str = "") -> Iterator[Frame | End]:
        """The episode is over, if there is one."""
        if self._last is None:
            return
        yield from self._settled(self._last.time_s + self._period_s)
        yield End(reason, detail)
        self._last = None

    def _settled(self, next_s: float) -> Iterator[Frame]:
        """The steps that are nearer to the last command than to the next."""
        last = self._last
        assert last is not None
        while abs(self._due_s - last.time_s) <= abs(next_s - self._due_s) and self._due_s < next_s:
            yield last.frame
            self._due_s += self._period_s

    def _fresh(self, key: str, time_s: float) -> bool:
        return key in self._seen and time_s - self._seen[key][0] <= self._stale_s
