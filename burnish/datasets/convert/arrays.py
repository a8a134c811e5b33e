"""Recordings that are arrays by key, one row per step (HDF5, zarr): what their formats share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from burnish.console import track
from burnish.contract import ACTION, IMAGES, POINTS, TASK, encode_text
from burnish.datasets.convert.base import End, Frame, Losses, Options, damage_named
from burnish.datasets.convert.layout import About, Layout
from burnish.datasets.convert.meaning import Meaning
from burnish.errors import BurnishError, CorruptFileError

BLOCK = 64
"""Steps in memory at a time."""
UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError)
"""What h5py, zarr and their codecs raise where a file is damaged."""


class Rows(NamedTuple):
    """An array on disk, and which of its rows are the episode's."""

    array: Any
    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first


@dataclass(frozen=True)
class Recorded:
    """One episode, still on disk.

    Attributes:
        path: its file.
        name: where it stands there.
        frames: how many steps it has.
        arrays: key → its rows; what follows the first `frames` of them is not read.
    """

    path: Path
    name: str
    frames: int
    arrays: Mapping[str, Rows]
    end: End
    instruction: str = ""


class ArraysReader(ABC):
    """A `Reader`, but for what a format says of itself, what its arrays mean, and where its episodes are."""

    def __init__(self, path: Path, options: Options) -> None:
        self.path, self.options, self.losses = path, options, Losses()
        with damage_named(path):
            about = self.about()
            self._layout = Layout(path, about, options, self.meaning)
        self.contract, self.task, self._total = self._layout.contract, options.task or about.task, about.episodes
        self.losses.lines += self._layout.left_out
        self._scale: dict[str, float] = {}

    @abstractmethod
    def about(self) -> About:
        """What is said once; raises as `Reader.__init__`."""

    @abstractmethod
    def meaning(self, key: str, width: int) -> Meaning | None:
        """What the `width` columns of the array `key` mean; None where the format does not say it."""

    @abstractmethod
    def episodes(self) -> Iterator[Recorded]:
        """In order; each is read before the next one is asked for."""

    def frames(self) -> Iterator[Frame | End]:
        """As `Reader` says."""
        failures = 0
        with track(f"Reading {self.path}", self._total) as advance:
            for one in self.episodes():
                if self.options.successes_only and one.end.reason != "success":
                    failures += 1
                else:
                    self._check(one)
                    yield from self._frames(one)
                    yield one.end
                advance()
        if failures:
            self.losses.lines.append(f"{self.path}: {failures} episodes that did not succeed are left out")

    def _check(self, one: Recorded) -> None:
        """Every array has the shape it had in the first episode, and enough rows."""
        for key in self._layout.sources:
            if key not in one.arrays:
                raise CorruptFileError(f"{one.path}: {one.name} has no {key}, unlike the first episode")
            rows, expected = one.arrays[key], self._layout.shapes[key]
            if tuple(rows.array.shape[1:]) != expected:
                raise CorruptFileError(
                    f"{one.path}: {one.name}/{key} has steps of shape {tuple(rows.array.shape[1:])}, "
                    f"{expected} in the first episode"
                )
            if len(rows) < one.frames:
                raise CorruptFileError(f"{one.path}: {one.name}/{key} has {len(rows)} steps, {one.frames} are promised")

    def _frames(self, one: Recorded) -> Iterator[Frame]:
        text = self._instruction(one)
        for start in range(0, one.frames, BLOCK):
            stop = min(start + BLOCK, one.frames)
            block = {key: self._values(one, key, start, stop) for key in self._layout.fields}
            for row in range(stop - start):
                obs = {key: values[row] for key, values in block.items() if key != ACTION}
                yield Frame(obs | text, block[ACTION][row])

    def _instruction(self, one: Recorded) -> dict[str, np.ndarray]:
        if TASK not in self.contract.observation:
            return {}
        text = self.options.instruction or one.instruction
        if not text:
            raise BurnishError(f"{one.path} does not say what was to be done: --convert.instruction TEXT")
        return {TASK: encode_text(text, self.contract.observation[TASK].shape[0])}

    def _values(self, one: Recorded, key: str, start: int, stop: int) -> np.ndarray:
        """(stop - start, *shape) of the contract's `key`."""
        sources, order = self._layout.fields[key]
        if key.startswith(IMAGES):
            return self._pixels(one, sources[0], start, stop)
        parts = [self._numbers(one, source, start, stop) for source in sources]
        if key == POINTS:
            return parts[0][..., :3]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)[:, order]

    def _numbers(self, one: Recorded, source: str, start: int, stop: int) -> np.ndarray:
        values = self._read(one, source, start, stop).astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
        if len(bad):
            raise CorruptFileError(f"{one.path}: {one.name}/{source} is NaN or infinite in step {start + bad[0]}")
        return values

    def _pixels(self, one: Recorded, source: str, start: int, stop: int) -> np.ndarray:
        """(T, H, W, 3) uint8 of bytes, or of floats in [0, 1] or [0, 255]; of channels last or first."""
        values = self.upright(self._read(one, source, start, stop))
        values = (values if values.shape[-1] in (3, 4) else np.moveaxis(values, 1, -1))[..., :3]
        if values.dtype == np.uint8:
            return values
        lowest, highest = values.min(), values.max()
        if not (lowest >= 0 and highest <= 255):
            raise CorruptFileError(f"{one.path}: {one.name}/{source} is no image: its pixels are {lowest} to {highest}")
        if highest > 0:  # black says nothing
            self._scale.setdefault(source, 255.0 if highest <= 1 else 1.0)
        return np.rint(values * self._scale.get(source, 1.0)).clip(0, 255).astype(np.uint8)

    def upright(self, pixels: np.ndarray) -> np.ndarray:
        """Images (T, H, W, C) as the format stores them, the highest row first."""
        return pixels

    def _read(self, one: Recorded, source: str, start: int, stop: int) -> np.ndarray:
        rows = one.arrays[source]
        with damage_named(f"{one.path}: {one.name}/{source}, steps {start} to {stop - 1}"):
            return np.asarray(rows.array[rows.first + start : rows.first + stop])
