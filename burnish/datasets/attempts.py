"""One finished attempt of an expert per file, so that a kill loses none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from burnish.contract import ACTION, Contract
from burnish.datasets.demonstrations import Episode
from burnish.errors import CorruptFileError
from burnish.files import atomic_file

Frame = tuple[dict[str, np.ndarray], np.ndarray]
"""The observations of one step by contract key, and the action (A,) to be imitated there."""


@dataclass(frozen=True)
class Attempt:
    """`steps` taken in the environment, and the `episode` if the expert succeeded."""

    steps: int
    episode: Episode | None


def attempt_path(folder: Path, number: int) -> Path:
    """Where attempt `number` is kept."""
    return folder / f"attempt_{number:06d}.safetensors"


def save_attempt(path: Path, frames: Sequence[Frame], success: bool) -> None:
    """Keep an attempt; of a failed one only its number of steps."""
    tensors = {}
    if success:
        tensors = {key: np.stack([obs[key] for obs, _ in frames]) for key in frames[0][0]}
        tensors[ACTION] = np.stack([action for _, action in frames])
    with atomic_file(path) as beside:
        save_file(tensors, beside, metadata={"steps": str(len(frames))})


def load_attempt(path: Path, contract: Contract) -> Attempt:
    """Read what `save_attempt` wrote. Raises `CorruptFileError` that names the file."""
    try:
        with safe_open(path, "numpy") as file:
            steps = int(file.metadata()["steps"])
            if ACTION not in file.keys():  # noqa: SIM118 (not a mapping)
                return Attempt(steps, None)
            obs = {key: file.get_tensor(key) for key in contract.observation}
            return Attempt(steps, Episode(obs, file.get_tensor(ACTION)))
    except (SafetensorError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{path}: not a recorded attempt ({error}); delete it to record it again") from error
