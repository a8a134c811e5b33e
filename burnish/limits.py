"""What a robot may be asked for: position, velocity, acceleration, jerk, torque and workspace, with the source."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from burnish.errors import BurnishError

WHOLE = ("names", "source", "free", "workspace", "clearance", "silence")
"""Fields that are not one number per entry."""


@dataclass(frozen=True)
class Limits:
    """One number per entry of a setpoint; SI units. `Safety` never lets a setpoint pass them.

    Attributes:
        names: of the entries.
        low, high: of the setpoint.
        velocity, acceleration, jerk: largest absolute values of its derivatives, per s, s² and s³.
        jump: largest distance between where the setpoint is and what a policy asks for next. What is further away is
            no motion but an error (a wrong unit, permuted joints, a broken chunk), and ends in a halt.
        torque: largest absolute measured effort, N·m or N.
        source: the document these numbers are from.
        free: entries that a device of its own follows at its own speed (a gripper); of these velocity, acceleration and
            jerk are not limited here, so that they never hold back the others.
        workspace: lowest and highest corner (x, y, z) of the box in which the tool may be, m, in the base's frame.
        clearance: smallest distance between parts of the robot that are not neighbours, m.
        silence: longest time without a fresh action while a policy plays, s.
        deceleration, offset: of robots whose velocity limit falls towards the ends of the range: at the distance d
            from an end it is sqrt(2 · deceleration · d) − offset.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    velocity: tuple[float, ...]
    acceleration: tuple[float, ...]
    jerk: tuple[float, ...]
    jump: tuple[float, ...]
    torque: tuple[float, ...]
    source: str
    free: tuple[str, ...] = ()
    workspace: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    clearance: float | None = None
    silence: float = 0.2
    deceleration: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name in WHOLE or value is None:
                continue
            if len(value) != len(self.names):
                raise BurnishError(f"limits.{part.name} has {len(value)} entries for {len(self.names)} names")
            if part.name not in ("low", "high", "offset") and not all(number > 0 for number in value):
                raise BurnishError(f"limits.{part.name} must be positive, is {value}")
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise BurnishError(f"limits.low {self.low} must lie below limits.high {self.high}")

    def of(self, names: Sequence[str]) -> Limits:
        """Those of some entries alone."""
        places = [self.names.index(name) for name in names]
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        each = {part: value for part, value in values.items() if part not in WHOLE and value is not None}
        picked = {part: tuple(value[place] for place in places) for part, value in each.items()}
        return replace(self, **picked, names=tuple(names), free=tuple(name for name in self.free if name in names))

    def speed(self, position: np.ndarray) -> np.ndarray:
        """(…, A) the velocity limit at `position` (…, A), per s."""
        top, ends = self._speeds
        if ends is None:
            return np.broadcast_to(top, position.shape)
        low, high, doubled, offset = ends
        room = np.minimum(position - low, high - position)
        near = np.sqrt(doubled * np.maximum(room, 0)) - offset
        return np.minimum(top, np.maximum(near, 0))

    def slower(self, places: Iterable[Sequence[float]]) -> dict[int, float]:
        """The least of `speed` at `places`, (A,) each, by entry, where that is less than `velocity`. In plain numbers,
        which for so few are sooner done than arrays: it is asked in the middle of a control cycle."""
        (begin, end), found = self.open, {}
        for place in places:
            for entry, (low, at, high) in enumerate(zip(begin, place, end, strict=True)):
                if not low < at < high and self.deceleration is not None and self.offset is not None:
                    room = max(0.0, min(at - self.low[entry], self.high[entry] - at))
                    near = max(math.sqrt(2 * self.deceleration[entry] * room) - self.offset[entry], 0.0)
                    found[entry] = min(found.get(entry, self.velocity[entry]), near)
        return found

    @cached_property
    def open(self) -> tuple[list[float], list[float]]:
        """Low and high: between them the velocity limit is `velocity`, nearer to the ends of the range less. Of what is
        `free` nothing is limited."""
        near = np.full(len(self.names), -math.inf)
        if self.deceleration is not None and self.offset is not None:
            near = (np.array(self.velocity) + self.offset) ** 2 / (2 * np.array(self.deceleration))
            near[[name in self.free for name in self.names]] = -math.inf
        return (self.low + near).tolist(), (self.high - near).tolist()

    @cached_property
    def _speeds(self) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """What `speed` needs, as arrays: it is asked in the middle of a control cycle."""
        if self.deceleration is None or self.offset is None:
            return np.array(self.velocity), None
        ends = (self.low, self.high, 2 * np.array(self.deceleration), self.offset)
        return np.array(self.velocity), tuple(np.array(part) for part in ends)
