"""What the columns of an array mean, so that arrays of other people's making become fields of a contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from burnish.contract import ACTION, Field
from burnish.errors import BurnishError

XYZ = ("x", "y", "z")
QUATERNION = (*XYZ, "w")
INSTRUCTION_BYTES = 128


class Meaning(NamedTuple):
    """Of one array.

    Attributes:
        role: the contract's key to which it belongs.
        unit: one for all columns, or one for each.
        names: of its columns; empty: their numbers.
        low, high: bounds of every column, None without.
    """

    role: str
    unit: tuple[str, ...]
    frame: str
    names: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def of(self, key: str, width: int) -> Meaning:
        """With a name and a unit for each of the `width` columns of `key`. Raises `BurnishError` if they differ."""
        names = self.names or ((key,) if width == 1 else tuple(f"{key}.{i}" for i in range(width)))
        unit = self.unit * width if len(self.unit) == 1 else self.unit
        if len(names) != width or len(unit) != width:
            raise BurnishError(
                f"{key} has {width} columns, {max(len(self.names), len(self.unit))} are known "
                f"({', '.join(self.names or self.unit)}); say it: --convert.meaning {key} UNIT[,UNIT…]@FRAME"
            )
        return self._replace(names=names, unit=unit)


def told(key: str, text: str, role: str) -> Meaning:
    """What the user says of the array `key`, "m,m,rad@world". Raises `BurnishError` with the form."""
    units, at, frame = text.rpartition("@")
    if not (units and at and frame):
        raise BurnishError(f"--convert.meaning {key} {text!r}: expected UNIT[,UNIT…]@FRAME, e.g. m,m,rad@world")
    return Meaning(role, tuple(units.split(",")), frame)


def dotted(key: str, suffixes: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of `key`."""
    return tuple(f"{key}.{suffix}" for suffix in suffixes)


def vector_field(parts: Sequence[Meaning], rate_hz: float) -> Field:
    """Of arrays side by side, all of one role."""
    names = tuple(name for part in parts for name in part.names)
    unit = tuple(one for part in parts for one in part.unit)
    frame = ", ".join(dict.fromkeys(part.frame for part in parts))
    kind = "min_max" if parts[0].role == ACTION else "mean_std"
    bounded = all(part.low is not None for part in parts)
    low = tuple(part.low or 0.0 for part in parts for _ in part.names) if bounded else None
    high = tuple(part.high or 0.0 for part in parts for _ in part.names) if bounded else None
    return Field((len(names),), names, unit, frame, rate_hz, kind, low=low, high=high)


def image_field(size: int, camera: str, rate_hz: float) -> Field:
    """Of a square image."""
    return Field((size, size, 3), ("r", "g", "b"), ("1",) * 3, camera, rate_hz, "identity", "uint8")


def cloud_field(count: int, part: Meaning, rate_hz: float) -> Field:
    """Of `count` points."""
    return Field((count, 3), XYZ, (part.unit[0],) * 3, part.frame, rate_hz, "identity")


def text_field(rate_hz: float) -> Field:
    """Of an instruction."""
    names = tuple(f"byte{i}" for i in range(INSTRUCTION_BYTES))
    return Field((INSTRUCTION_BYTES,), names, ("UTF-8",) * INSTRUCTION_BYTES, "none", rate_hz, "identity", "uint8")
