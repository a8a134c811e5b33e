"""From one action chunk to the next: what of the last chunk the next one has to agree with, and how much.

On numpy alone, so that a robot computer and the training code share it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from burnish.contract import Field
from burnish.errors import BurnishError, ContractError, NonFiniteError


class Handover(NamedTuple):
    """The last chunk as the next plan takes it."""

    previous: np.ndarray
    """(B, H, A), physical units, inside the bounds; 0 where the last chunk does not reach."""
    weights: np.ndarray
    """(B, H): 1 where an action is frozen, and only there; 0 where the next chunk is free."""


def hand_over(previous: np.ndarray, frozen: int | np.ndarray, rows: int, horizon: int, action: Field) -> Handover:
    """Check and pad what is left of the last chunk.

    Args:
        previous: (B, K, A) physical units; index 0 is the first action that is executed after the observation.
        frozen: how many of them will be executed before the next chunk is there, d: one number, or one per row (B,).
        rows: observations to plan for, B.
        horizon: actions per chunk, H.
        action: what an action means; its bounds are kept.
    Raises:
        ContractError: `previous` or `frozen` has another shape.
        BurnishError: K exceeds H, or d does not lie between 0 and K.
        NonFiniteError: a previous action is NaN or infinite.
    """
    previous = np.asarray(previous, np.float32)
    if previous.ndim != 3 or (len(previous), *previous.shape[2:]) != (rows, *action.shape):
        expected = f"({rows}, K, {action.shape[-1]})"
        raise ContractError(f"previous actions have the shape {previous.shape}, expected {expected}")
    known = previous.shape[1]
    if known > horizon:
        raise BurnishError(f"{known} previous actions are more than a chunk's {horizon}; give those yet to be executed")
    if not np.isfinite(previous).all():
        row = int(np.argwhere(~np.isfinite(previous))[0][0])
        raise NonFiniteError(f"NaN or infinite previous action in row {row}; hold the robot and plan from nothing")
    frozen = np.asarray(frozen)
    if frozen.shape not in ((), (rows,)):
        raise ContractError(f"frozen has the shape {frozen.shape}, expected one number or ({rows},)")
    for wrong in frozen[(frozen < 0) | (frozen > known)].flatten()[:1]:
        raise BurnishError(
            f"{wrong} frozen actions, but {known} previous ones: as many as are executed while the next chunk is "
            "planned must be known; plan earlier, or hold the robot meanwhile"
        )
    low, high = (np.asarray(bound, np.float32) if bound else None for bound in (action.low, action.high))
    inside = previous if low is None and high is None else np.clip(previous, low, high)
    padded = np.pad(inside, ((0, 0), (0, horizon - known), (0, 0)))
    return Handover(padded, soft_mask(horizon, known, np.broadcast_to(frozen, rows)))


def soft_mask(horizon: int, known: int, frozen: np.ndarray) -> np.ndarray:
    """How much each action of the next chunk is to agree with the last one: frozen (B,) → (B, H).

    1 for i < d, c (eᶜ − 1) / (e − 1) with c = (K − i) / (K − d + 1) for d ≤ i < K, 0 after (RTC, arXiv 2506.07339,
    equation 5, where K = H − s: as many actions of the last chunk are left as were not executed).
    """
    index, start = np.arange(horizon), frozen[:, None]
    share = np.clip((known - index) / (known - start + 1), 0.0, 1.0)
    return np.where(index < start, 1.0, share * np.expm1(share) / math.expm1(1.0)).astype(np.float32)
