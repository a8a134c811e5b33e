"""Starts in the middle of a task: states along an expert's episodes (OmniReset, arXiv 2603.15789).

What comes late in a task is tried from the first day on, not only once everything before it has been learned. A bank
is a safetensors file: of B states each array of `World.state` stacked, and the task and the rate they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from burnish.errors import BurnishError, CorruptFileError
from burnish.files import atomic_file
from burnish.sim.seeds import EVALUATION_FIRST

State = Mapping[str, np.ndarray]
"""What `World.restore` takes, without the seed."""
PARTS = ("physics", "target", "plan", "last", "motion", "hand")
STREAM = 4
"""Of the random numbers that an episode's seed gives: 0 … 3 are the start's, the expert's, the world's, the noise's."""


def save_bank(path: Path, states: Sequence[State], task: str, rate_hz: float) -> None:
    """Keep `states` of `task` ("lift"), whose actions come at `rate_hz`. Raises `BurnishError` if there are none."""
    if not states:
        raise BurnishError(f"{path}: no states to keep; the expert's episodes were shorter than the steps between two")
    tensors = {name: np.stack([np.asarray(state[name]) for state in states]) for name in PARTS}
    with atomic_file(path) as beside:
        save_file(tensors, beside, metadata={"task": task, "rate_hz": f"{rate_hz:g}"})


class Bank:
    """Those of `path`, in which a `share` of the episodes begin. Evaluation's seeds never draw one."""

    def __init__(self, path: Path, share: float, task: str, rate_hz: float) -> None:
        """Raises `CorruptFileError`, and `BurnishError` for a bank of another task, or another rate."""
        if not 0 <= share <= 1:
            raise BurnishError(f"franka/{task}: bank_share must be from 0 to 1, is {share}")
        self._share = share
        try:
            with safe_open(path, "numpy") as file:
                made = file.metadata() or {}
                self._parts = {name: file.get_tensor(name) for name in PARTS}
        except FileNotFoundError as error:
            raise BurnishError(
                f"franka/{task}: bank={str(path)!r} is not there; make it: "
                f"burnish collect franka/{task} --out {path} --states 5"
            ) from error
        except (SafetensorError, OSError) as error:
            raise CorruptFileError(f"{path}: not a bank of states: {error}") from error
        wanted = {"task": task, "rate_hz": f"{rate_hz:g}"}
        if made != wanted:
            raise BurnishError(f"{path}: a bank of {made}, but these lanes are {wanted}; collect one for them")

    def __len__(self) -> int:
        return len(self._parts["physics"])

    def draw(self, seed: int) -> State | None:
        """The state in which the episode of `seed` begins; None if it begins as the task does."""
        random = np.random.default_rng([seed, STREAM])
        if seed >= EVALUATION_FIRST or random.uniform() >= self._share:
            return None
        row = int(random.integers(len(self)))
        return {name: part[row] for name, part in self._parts.items()}
