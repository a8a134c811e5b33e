"""What a training run needs to go on after a kill: in its folder a checkpoint, with tensors and numbers beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from burnish import checkpoint
from burnish.policies.base import Learned, save_policy, to_torch
from burnish.run import Run

FOLDER = "checkpoint"


@dataclass(frozen=True)
class TrainingState:
    """What `save_training` kept: weights of the policy, the other tensors, and plain JSON."""

    weights: dict[str, Tensor]
    tensors: dict[str, Tensor]
    progress: Mapping[str, Any]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Those of `tensors` whose names begin with `prefix`, e.g. "adam/", without it."""
        return {key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)}


def grouped(**groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One mapping of several: GROUP/NAME → tensor. `TrainingState.under("GROUP/")` takes one out again."""
    return {f"{group}/{name}": value for group, tensors in groups.items() for name, value in tensors.items()}


def save_training(
    run: Run,
    policy: Learned,
    tensors: Mapping[str, Tensor],
    progress: Mapping[str, Any],
    *,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write all of it at once, and the time spent so far. `weights`: in place of the policy's own."""
    save_policy(policy, run.folder / FOLDER, weights=weights, training=tensors, progress=progress)
    run.save_clock()


def load_training(run: Run) -> TrainingState | None:
    """What `save_training` wrote last, or None. Raises `CorruptFileError` as `load_policy` does."""
    if not checkpoint.exists(run.folder / FOLDER):
        return None
    saved = checkpoint.load(run.folder / FOLDER)
    return TrainingState(to_torch(saved.tensors), to_torch(saved.training), saved.progress)
