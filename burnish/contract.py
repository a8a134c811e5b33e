"""What an observation and an action *mean*: shape, dtype, unit, frame, rate, names, normalisation.

The contract is saved with every checkpoint and beside every dataset, and is checked wherever two
sides meet (policy and environment, policy and dataset, policy and robot). A mismatch is an error
that names the field and both values; nothing is ever re-normalised silently.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from burnish.errors import ContractError, CorruptFileError

Normalization = Literal["mean_std", "whitening", "min_max", "range", "identity"]
"""How a policy maps a field to network units.

`mean_std`: mean 0, variance 1. `whitening`: the same in every direction, not only along the axes, so that a small
difference of two large coordinates (hand − object, now − before) is not lost; for vectors of observations.
`min_max`: the field's bounds to [-1, 1], or what the data showed where it has none. `range`: what the data showed to
[-1, 1], and bounds only cut off: for an arm whose task needs a small part of its range. `identity`: as it is.
"""

ACTION = "action"
STATE = "observation.state"
ENVIRONMENT_STATE = "observation.environment_state"
"""What only a simulator knows: poses of objects."""
IMAGES = "observation.images."
"""How the keys of cameras begin."""
POINTS = "observation.points"
"""A point cloud: (N, 3), m."""
PLACES = "observation.places"
"""Where each of the P² equal patches of every camera's image lies: (cameras, P, P, 3), m, the cameras in the order of
their names, the patches row by row as in the image."""
TASK = "task"
"""The instruction, as UTF-8 bytes filled up with zeros."""
LONG = 8
"""Entries of a tuple that a message shows."""


@dataclass(frozen=True)
class Field:
    """One observation or action key.

    Attributes:
        shape: of one time step, without batch and time dimensions.
        names: one name per entry of the last dimension.
        unit: one SI unit per entry of the last dimension ("1" where dimensionless).
        frame: coordinate frame in which the values are expressed.
        rate_hz: how often a new value arrives or is consumed; 0 where nobody says.
        normalization: how a policy maps physical units to network units.
        low, high: physical bounds per entry of the last dimension, or None where there are none.
        slots: how many things of one kind a vector describes, one after the other, in the same numbers each.
    """

    shape: tuple[int, ...]
    names: tuple[str, ...]
    unit: tuple[str, ...]
    frame: str
    rate_hz: float
    normalization: Normalization
    dtype: str = "float32"
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    slots: int = 1

    @property
    def is_number(self) -> bool:
        """Whether values are physical quantities, not pixels or letters (bytes)."""
        return self.dtype != "uint8"

    def __post_init__(self) -> None:
        size = self.shape[-1] if self.shape else 1
        for part in ("names", "unit", "low", "high"):
            value = getattr(self, part)
            if value is not None and len(value) != size:
                raise ContractError(f"{part} has {len(value)} entries for a last dimension of {size}: {value}")
        if isinstance(self.rate_hz, str) or not self.rate_hz >= 0:  # NaN too
            raise ContractError(f"rate_hz must be a number, 0 or above, is {self.rate_hz!r}")
        if self.normalization not in get_args(Normalization):
            known = ", ".join(get_args(Normalization))
            raise ContractError(f"unknown normalization {self.normalization!r}; known: {known}")
        if self.normalization == "whitening" and len(self.shape) != 1:
            raise ContractError(f"whitening is for vectors, not for a field of shape {self.shape}; use 'mean_std'")
        if self.slots != 1:
            self._check_slots(size)

    def _check_slots(self, size: int) -> None:
        if self.slots < 1 or size % self.slots or len(self.shape) != 1:
            raise ContractError(f"{self.slots} slots do not divide a field of shape {self.shape} into equal parts")
        each = size // self.slots
        if any(self.unit[i] != self.unit[i % each] for i in range(size)):
            raise ContractError(f"slots describe things of one kind, but their units differ: {self.unit}")


@dataclass(frozen=True)
class Contract:
    """The observations a policy reads and the action it returns, in physical units."""

    observation: Mapping[str, Field]
    action: Field

    def __post_init__(self) -> None:
        if self.action.normalization == "whitening":
            raise ContractError("action: whitening is for observations only; use 'min_max', 'range' or 'mean_std'")
        divided = [key for key, field in self.fields.items() if field.slots > 1]
        if ACTION in divided or len(divided) > 1:
            raise ContractError(f"{', '.join(divided)}: slots are for one of the observations")

    def need_unit_actions(self, who: str) -> None:
        """Raise `ContractError` unless the network's actions lie between -1 and 1: what `who` takes them for."""
        if self.action.normalization == "mean_std":
            raise ContractError(
                f"{who} takes actions between -1 and 1, and would cut off those of the normalization 'mean_std'; make "
                "it 'range' (or 'min_max', by the bounds) in the dataset's contract.json, and train again"
            )

    @property
    def fields(self) -> dict[str, Field]:
        """Every field by its LeRobot key."""
        return {**self.observation, ACTION: self.action}

    @property
    def images(self) -> tuple[str, ...]:
        """Keys of the images among the observations."""
        return tuple(key for key in self.observation if key.startswith(IMAGES))

    @property
    def looks(self) -> tuple[str, ...]:
        """Keys of what is dear to perceive, and so perceived only when a plan needs it: images, places and points."""
        return (*self.images, *(key for key in (PLACES, POINTS) if key in self.observation))

    @property
    def points(self) -> int | None:
        """Points of its cloud, None without one."""
        return self.observation[POINTS].shape[0] if POINTS in self.observation else None

    @property
    def cameras(self) -> int | None:
        """Pixels per side of its images, None without any. Raises `ContractError` if they differ."""
        sizes = {side for key in self.images for side in self.observation[key].shape[:2]}
        if len(sizes) > 1:
            raise ContractError(f"images of {sorted(sizes)} pixels per side; cameras here are square and of one size")
        return sizes.pop() if sizes else None

    def only(self, keys: Iterable[str]) -> Contract:
        """This contract with no other observations than `keys`; what it lacks stays missing, for `check` to name."""
        wanted = set(keys)
        return Contract({key: field for key, field in self.observation.items() if key in wanted}, self.action)

    def check(self, other: Contract, *, here: str, there: str) -> None:
        """Raise `ContractError` naming every field in which `other` differs, with both values.

        Args:
            here: what `self` belongs to, e.g. "checkpoint runs/demo/policy".
            there: what `other` belongs to, e.g. "environment metaworld/reach".
        """
        mine, theirs = self.fields, other.fields
        problems = [f"{key}: only in the {here}" for key in mine.keys() - theirs.keys()]
        problems += [f"{key}: only in the {there}" for key in theirs.keys() - mine.keys()]
        for key in sorted(mine.keys() & theirs.keys()):
            for part in dataclasses.fields(Field):
                a, b = getattr(mine[key], part.name), getattr(theirs[key], part.name)
                if a != b:
                    problems.append(difference(f"{key}.{part.name}", a, b, here, there))
        if problems:
            listed = "\n  ".join(sorted(problems))
            raise ContractError(
                f"the {here} and the {there} do not fit together:\n  {listed}\n"
                "Use a policy that was trained for this contract, or collect data for it and train again."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of `from_json`."""
        return {
            "observation": {key: dataclasses.asdict(field) for key, field in self.observation.items()},
            ACTION: dataclasses.asdict(self.action),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, source: str = "contract") -> Contract:
        """Parse `to_json`'s output. Raises `CorruptFileError` that names `source` and the field."""
        try:
            observation = {key: _field(value) for key, value in data["observation"].items()}
            return cls(observation, _field(data[ACTION]))
        except (KeyError, TypeError, AttributeError, ContractError) as error:
            raise CorruptFileError(f"{source}: not a contract: {type(error).__name__}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Contract:
        """Read a `contract.json`. Raises `CorruptFileError` that names the file."""
        from burnish.files import read_json

        return cls.from_json(read_json(path), source=str(path))


def difference(what: str, mine: Any, theirs: Any, here: str, there: str) -> str:
    """One line with both values of `what`; of long tuples the first entry that differs, or how they begin."""
    if not isinstance(mine, tuple) or not isinstance(theirs, tuple) or max(len(mine), len(theirs)) <= LONG:
        return f"{what}: {mine!r} in the {here}, {theirs!r} in the {there}"
    if len(mine) != len(theirs):
        return f"{what}: {_beginning(mine)} in the {here}, {_beginning(theirs)} in the {there}"
    places = [place for place, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]
    more = f", and {len(places) - 1} more" if len(places) > 1 else ""
    return f"{what}[{places[0]}]: {mine[places[0]]!r} in the {here}, {theirs[places[0]]!r} in the {there}{more}"


def _beginning(values: tuple[Any, ...]) -> str:
    shown = ", ".join(map(repr, values[:LONG]))
    return f"({shown}, … {len(values)} in all)" if len(values) > LONG else repr(values)


def encode_text(text: str, size: int) -> np.ndarray:
    """(size,) uint8: UTF-8, filled up with zeros. Raises `ContractError` if it is longer."""
    data = text.encode()
    if len(data) > size:
        raise ContractError(f"the instruction {text!r} has {len(data)} bytes; {size} fit")
    return np.frombuffer(data.ljust(size, b"\0"), np.uint8)


def decode_text(row: np.ndarray) -> str:
    """The inverse of `encode_text`."""
    return row.tobytes().rstrip(b"\0").decode()


def _field(data: Mapping[str, Any]) -> Field:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return Field(**values)
