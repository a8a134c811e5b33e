"""When a worker process dies in an evaluation: how often that is forgiven, and which episode is to blame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from burnish.errors import BurnishError
from burnish.sim.protocols import Protocol
from burnish.sim.workers import DeadWorkerError

REPEATS = 3
"""How often an episode begins anew after it was under way in a process that died, and how often in a row a death is
forgiven that no episode is to blame for."""


class Deaths:
    """Counts the deaths of worker processes by the episode they were busy with."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._by_episode: Counter[int | None] = Counter()

    def progress(self) -> None:
        """An episode was finished: deaths that none is to blame for are forgiven again."""
        del self._by_episode[None]

    def add(self, error: DeadWorkerError, running: Mapping[int, int]) -> None:
        """Count `error`, met while `running` (lane → episode). Raises `BurnishError` when repeating is hopeless."""
        episode = None if error.lane is None else running.get(error.lane)
        self._by_episode[episode] += 1
        times = self._by_episode[episode]
        if times <= REPEATS:
            return
        if episode is None:
            message = f"worker processes died {times} times in a row and no episode was finished"
        else:
            message = f"{self._name(episode)} killed its worker process {times} times"
        raise BurnishError(
            f"{message}; the finished episodes are kept. Last time {error}. "
            "Without worker processes (--eval.workers 1, another --out) the crash shows where it happens"
        ) from error

    def _name(self, episode: int) -> str:
        facts = self._protocol.describe(episode)
        where = f", trial {facts['trial']}" if "trial" in facts else ""
        return f"episode {episode} ({self._protocol.member(episode)}{where})"
