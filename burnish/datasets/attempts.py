"""One finished attempt of an expert per file, so that a kill loses none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from burnish.contract import ACTION, Contract
from burnish.datasets.demonstrations import Episode
from burnish.errors import CorruptFileError
from burnish.files import atomic_file

POSE = "pose/"
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


def save_attempt(
    path: Path, frames: Sequence[Frame], success: bool, poses: Sequence[Mapping[str, np.ndarray]] = ()
) -> None:
    """Keep an attempt; of a failed one only its number of steps.

    Args:
        poses: of each step what is needed to render it later (see `datasets.frames`), if it is to be rendered.
    """
    tensors = {}
    if success:
        tensors = {key: np.stack([obs[key] for obs, _ in frames]) for key in frames[0][0]}
        tensors[ACTION] = np.stack([action for _, action in frames])
        if poses:
            tensors |= {f"{POSE}{name}": np.stack([pose[name] for pose in poses]) for name in poses[0]}
    with atomic_file(path) as beside:
        save_file(tensors, beside, metadata={"steps": str(len(frames))})


def load_attempt(path: Path, contract: Contract) -> Attempt:
    """Read what `save_attempt` wrote, without images, places and points. Raises `CorruptFileError` with the file."""
    try:
        with safe_open(path, "numpy") as file:
            steps = int(file.metadata()["steps"])
            if ACTION not in file.keys():  # noqa: SIM118 (not a mapping)
                return Attempt(steps, None)
            keys = [key for key in contract.observation if key not in contract.looks]
            obs = {key: file.get_tensor(key) for key in keys}
            return Attempt(steps, Episode(obs, file.get_tensor(ACTION)))
    except (SafetensorError, KeyError, TypeError) as error:
        raise _corrupt(path, error) from error


def load_poses(path: Path) -> dict[str, np.ndarray]:
    """Name → (T, …) of the poses that `save_attempt` kept. Raises `CorruptFileError` if there are none."""
    try:
        with safe_open(path, "numpy") as file:
            names = [name for name in file.keys() if name.startswith(POSE)]  # noqa: SIM118 (not a mapping)
            if names:
                return {name.removeprefix(POSE): file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise _corrupt(path, error) from error
    raise CorruptFileError(f"{path}: it was recorded without poses, so it cannot be rendered")


def _corrupt(path: Path, error: Exception) -> CorruptFileError:
    return CorruptFileError(f"{path}: not a recorded attempt ({error}); delete it to record it again")
