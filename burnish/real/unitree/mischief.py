"""What can go wrong with a simulated robot's messages, on purpose."""

from __future__ import annotations

from collections import deque

import numpy as np

from burnish.real.unitree.wire import Message


class Mischief:
    """Between the robot and the wire. Everything is off at first.

    Attributes:
        lose: share of states that are not sent.
        deaf: share of commands that are not heard.
        broken: share of states with a bad CRC.
        late: how many cycles a state waits before it is sent.
        silent: no states at all.
        twice: every state is sent twice.
        swapped: of every two states the second is sent first.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.lose, self.deaf, self.broken, self.late = 0.0, 0.0, 0.0, 0
        self.silent, self.twice, self.swapped = False, False, False
        self._waiting: deque[bytes] = deque()
        self._held: bytes | None = None

    def outgoing(self, message: Message) -> list[bytes]:
        """The streams to send instead of `message`, which is signed; it may be changed afterwards."""
        if self._hits(self.broken):
            message.record["crc"] ^= 1
        self._waiting.append(message.serialize())
        if self.silent:
            self._waiting.clear()
        if len(self._waiting) <= self.late:
            return []
        stream = self._waiting.popleft()
        if self._hits(self.lose):
            return []
        if self.swapped:
            self._held, ready = (None, [stream, self._held]) if self._held is not None else (stream, [])
            return ready
        return [stream] * (2 if self.twice else 1)

    def hears(self) -> bool:
        """Whether the next command arrives."""
        return not self._hits(self.deaf)

    def _hits(self, share: float) -> bool:
        return share > 0 and self._random.random() < share
