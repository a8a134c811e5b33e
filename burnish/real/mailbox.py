"""What the control process and its owner share: one small file, mapped by both, so that neither ever waits.

The owner leaves orders and chunks; the control process leaves one row per cycle in a ring, and why it halted. What is
half written is never read: writers count up before and after (a sequence lock). A chunk, which moves the robot, has a
checksum too: some processors (ARM) let another one see what was written in another order.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from burnish.errors import BurnishError
from burnish.real.player import Chunk

ROWS = 4096
"""Cycles the owner may fall behind: four seconds of the fastest robot."""
LONGEST = 256
"""Actions per chunk."""
TEXT = 512
"""Bytes of a rule and its message; what is longer is cut off."""
ORDERED = 16
"""Orders that may wait: none is lost, above all no halt, because another one came in the same cycle."""
ORDERS = ("none", "play", "hold", "halt", "resume", "end")
PHASES = ("starting", "holding", "playing", "halted", "ended")
PARTS = ("measured", "effort", "setpoint", "velocity")
"""What a row says of each entry of an action, after the head and the state."""


@dataclass(frozen=True)
class Layout:
    """Numbers per observation and per action."""

    state: int
    action: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the numbers at the head of a row; the state and `PARTS` come behind them."""
        return (
            "cycle",
            "time_s",
            "clock_s",
            "phase",
            "slot",
            "asked",
            "delay",
            "verdicts",
            "missed",
            "answer_us",
            "compute_us",
        )

    @property
    def width(self) -> int:
        """Numbers per row."""
        return len(self.columns) + self.state + len(PARTS) * self.action

    @property
    def inbox(self) -> np.dtype:
        """What the owner writes."""
        return np.dtype(
            [
                ("beat", "f8"),
                ("order", "i8", (ORDERED,)),
                ("orders", "i8"),
                ("lock", "i8"),
                ("slot", "i8"),
                ("count", "i8"),
                ("sum", "i8"),
                ("actions", "f8", (LONGEST, self.action)),
            ]
        )

    @property
    def outbox(self) -> np.dtype:
        """What the control process writes."""
        return np.dtype([("lock", "i8"), ("text", f"S{TEXT}"), ("head", "i8"), ("rows", "f8", (ROWS, self.width))])


class Row:
    """One cycle of the robot, as the control process wrote it."""

    def __init__(self, layout: Layout, numbers: np.ndarray) -> None:
        head = dict(zip(layout.columns, numbers, strict=False))
        self.time_s, self.clock_s = head["time_s"], head["clock_s"]
        self.phase = PHASES[int(head["phase"])]
        self.slot, self.asked, self.delay = int(head["slot"]), int(head["asked"]), int(head["delay"])
        self.verdicts, self.missed = int(head["verdicts"]), int(head["missed"])
        self.answer_us, self.compute_us = head["answer_us"], head["compute_us"]
        body = numbers[len(layout.columns) :]
        self.state = body[: layout.state]
        self.measured, self.effort, self.setpoint, self.velocity = body[layout.state :].reshape(len(PARTS), -1)


class Mailbox:
    """Both ends."""

    def __init__(self, path: Path, layout: Layout, *, create: bool = False) -> None:
        """Map `path`; the owner creates it. Raises `BurnishError` if it is not of this `layout`."""
        size = layout.inbox.itemsize + layout.outbox.itemsize
        if create:
            path.write_bytes(bytes(size))
        if path.stat().st_size != size:
            raise BurnishError(f"{path}: not a mailbox for {layout}")
        self.layout = layout
        memory = np.asarray(np.memmap(path, np.uint8, "r+"))  # whose own class makes each view ten times as dear
        inbox = memory[: layout.inbox.itemsize].view(layout.inbox)
        outbox = memory[layout.inbox.itemsize :].view(layout.outbox)
        self._in = {name: inbox[name] for name in layout.inbox.fields or ()}
        self._out = {name: outbox[name] for name in layout.outbox.fields or ()}
        self._rows, self._head = outbox["rows"][0], outbox["head"]
        self._read, self._seen, self._orders = 0, 0, 0

    def order(self, what: str) -> None:
        """The owner tells the control process what to do."""
        self._in["order"][0, int(self._in["orders"][0]) % ORDERED] = ORDERS.index(what)
        self._in["orders"][0] += 1

    def beat(self) -> None:
        """The owner is alive."""
        self._in["beat"][0] = time.monotonic()

    def send(self, chunk: Chunk) -> None:
        """Leave `chunk`, of at most `LONGEST` actions, for the player."""
        count = len(chunk.actions)
        self._in["lock"][0] += 1
        self._in["slot"][0], self._in["count"][0] = chunk.slot, count
        self._in["actions"][0, :count] = chunk.actions
        self._in["sum"][0] = _sum(chunk.slot, self._in["actions"][0, :count])
        self._in["lock"][0] += 1

    def rows(self) -> np.ndarray:
        """(N, width) cycles since the last call; the oldest are missing if there were more than `ROWS`."""
        head = int(self._head[0])
        first = max(self._read, head - ROWS + 64)
        self._read = head
        return self._rows[np.arange(first, head) % ROWS].copy()

    def why(self) -> dict[str, str]:
        """`rule` and `message` of the last verdict; empty before the first."""
        for _ in range(100):
            lock, text = int(self._out["lock"][0]), bytes(self._out["text"][0])
            if lock % 2 == 0 and lock == int(self._out["lock"][0]):
                rule, _, message = text.decode(errors="ignore").partition("\n")
                return {"rule": rule, "message": message} if rule else {}
            time.sleep(1e-4)
        return {}

    def age_s(self) -> float:
        """For how long the owner has been silent."""
        return time.monotonic() - float(self._in["beat"][0])

    def obey(self) -> str:
        """The next order; "none" when there is none."""
        if int(self._in["orders"][0]) == self._orders:
            return ORDERS[0]
        self._orders += 1
        return ORDERS[int(self._in["order"][0, (self._orders - 1) % ORDERED])]

    def receive(self) -> Chunk | None:
        """The chunk that came since the last call."""
        lock = int(self._in["lock"][0])
        if lock == self._seen or lock % 2:
            return None
        chunk = Chunk(int(self._in["slot"][0]), self._in["actions"][0, : int(self._in["count"][0])].copy())
        whole = int(self._in["sum"][0]) == _sum(chunk.slot, chunk.actions)
        if lock != int(self._in["lock"][0]) or not whole:
            return None  # another one is just being written
        self._seen = lock
        return chunk

    def put(self, head: tuple[float, ...], *parts: np.ndarray) -> None:
        """One cycle's row."""
        place = int(self._head[0])
        row = self._rows[place % ROWS]
        row[:] = np.concatenate([head, *parts])
        self._head[0] = place + 1

    def tell(self, rule: str, message: str) -> None:
        """Why the robot is halted."""
        self._out["lock"][0] += 1
        self._out["text"][0] = f"{rule}\n{message}".encode()[:TEXT]
        self._out["lock"][0] += 1


def _sum(slot: int, actions: np.ndarray) -> int:
    """Of a chunk."""
    return zlib.crc32(np.ascontiguousarray(actions), slot & 0xFFFFFFFF)
