"""What every `VecEnv` refuses, in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from burnish.errors import BurnishError, NonFiniteError


def check_size(task: str, num_envs: int, horizon: int) -> None:
    """Raise `BurnishError` unless there are lanes, and steps in an episode."""
    if num_envs < 1 or horizon < 1:
        raise BurnishError(f"{task}: num_envs and horizon must be 1 or more, not {num_envs} and {horizon}")


def chosen(task: str, ids: Sequence[int] | None, num_envs: int) -> Sequence[int]:
    """The lanes `ids`, or all. Raises `BurnishError` for one that is not there."""
    if ids is None:
        return range(num_envs)
    for lane in ids:
        if not 0 <= lane < num_envs:
            raise BurnishError(f"{task}: no lane {lane}; there are {num_envs}")
    return list(ids)


def check_seeds(task: str, seeds: Sequence[int], lanes: Sequence[int]) -> None:
    """Raise `BurnishError` unless every one of `lanes` has a seed of 64 bits."""
    if len(seeds) != len(lanes):
        raise BurnishError(f"{task}: {len(seeds)} seeds for {len(lanes)} lanes; give one seed per lane")
    for lane, seed in zip(lanes, seeds, strict=True):
        if not 0 <= seed < 2**64:
            raise BurnishError(f"{task}: seed {seed} of lane {lane} is not in [0, 2^64)")


def check_shape(task: str, action: Tensor, expected: tuple[int, ...]) -> None:
    """Raise `BurnishError` unless `action` is of the shape that is `expected`."""
    if tuple(action.shape) != expected:
        raise BurnishError(f"{task}: action of shape {tuple(action.shape)}, expected {expected}")


def check_step(task: str, action: Tensor, bad: Sequence[int], waiting: Sequence[int]) -> None:
    """Raise `NonFiniteError` for lanes that are `bad`, whose action is not finite, `BurnishError` for those `waiting`
    for a reset.
    """
    if bad:
        values = action[bad[0]].tolist()
        raise NonFiniteError(f"{task}: the action of lane {bad[0]} is not finite: {values}; nothing was stepped")
    if waiting:
        raise BurnishError(f"{task}: the episodes of lanes {list(waiting)} have ended; reset these lanes first")


def check_seen(task: str, never: Sequence[int]) -> None:
    """Raise `BurnishError` for lanes that `never` were reset."""
    if never:
        raise BurnishError(f"{task}: lanes {list(never)} have nothing to look at; reset these lanes first")


def check_snapshot(task: str, snapshot: Sequence[Any], num_envs: int) -> None:
    """Raise `BurnishError` unless `snapshot` is of as many lanes."""
    if len(snapshot) != num_envs:
        raise BurnishError(f"{task}: a snapshot of {len(snapshot)} lanes cannot be restored into {num_envs}")
