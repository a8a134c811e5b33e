"""Episodes on their way from a recording to a dataset: one whole or absent file each, and their images beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from burnish.contract import ACTION, TASK, Contract, Field, decode_text
from burnish.datasets.convert.base import End, Frame
from burnish.datasets.store import Written
from burnish.files import atomic_file
from burnish.pictures import square

INTERVENTION = "complementary_info.is_intervention"
"""The dataset's column: lerobot's name for "a human drove"."""


class Staging:
    """Takes frames one by one; what is finished survives a kill."""

    def __init__(self, folder: Path, contract: Contract, task: str, shortest: int) -> None:
        """`shortest`: frames that an episode must have."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._task, self._shortest = folder, task, shortest
        self.fields: Mapping[str, Field] = {key: contract.observation[key] for key in contract.images}
        self._number, self._count, self.short = 0, 0, 0
        self._frames: list[Frame] = []
        self._files: dict[str, BinaryIO] = {}

    def add(self, frame: Frame) -> None:
        """A frame of the episode under way."""
        self._count += 1
        if self._path(self._number).exists():
            return  # kept by an earlier run
        for key, field in self.fields.items():
            if key not in self._files:
                self._files[key] = self._pixels(self._number, key).open("wb")
            self._files[key].write(square(frame.obs[key], field.shape[0]).tobytes())
        numbers = {key: value for key, value in frame.obs.items() if key not in self.fields}
        self._frames.append(Frame(numbers, frame.action, frame.intervention))

    def end(self, end: End) -> None:
        """The episode is over; too short a one is left out."""
        for file in self._files.values():
            file.close()
        frames, count = self._frames, self._count
        self._frames, self._files, self._count = [], {}, 0
        if count < self._shortest:
            self.short += 1
            return
        if frames:
            tensors = {key: np.stack([frame.obs[key] for frame in frames]) for key in frames[0].obs}
            tensors[ACTION] = np.stack([frame.action for frame in frames])
            tensors[INTERVENTION] = np.array([frame.intervention for frame in frames])
            about = {"frames": len(frames), "ended": end.reason, "detail": end.detail}
            about["intervention_frames"] = int(tensors[INTERVENTION].sum())
            with atomic_file(self._path(self._number)) as beside:
                save_file(tensors, beside, metadata={"about": json.dumps(about)})
        self._number += 1

    def episodes(self) -> list[dict[str, Any]]:
        """How each kept episode ended, and its length."""
        found = []
        for number in range(self._number):
            with safe_open(self._path(number), "numpy") as file:
                found.append(json.loads(file.metadata()["about"]))
        return found

    def written(self) -> Iterator[Written]:
        """The kept episodes, one in memory; images are mapped from their files."""
        for number in range(self._number):
            with safe_open(self._path(number), "numpy") as file:
                values = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
            for key, field in self.fields.items():
                values[key] = np.memmap(self._pixels(number, key), np.uint8, "r").reshape(-1, *field.shape)
            yield Written(values, decode_text(values[TASK][0]) if TASK in values else self._task)

    def _path(self, number: int) -> Path:
        return self._folder / f"episode_{number:06d}.safetensors"

    def _pixels(self, number: int, key: str) -> Path:
        return self._folder / f"episode_{number:06d}.{key.rpartition('.')[2]}.u8"
