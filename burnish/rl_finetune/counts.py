"""Counts without which a learner does nothing, or fails in the middle."""

from __future__ import annotations

from typing import Any

from burnish.errors import BurnishError


def check_counts(who: str, cfg: Any, *names: str) -> None:
    """Raise `BurnishError` for the first of the fields `names` of `cfg` that is below 1."""
    for name in names:
        if getattr(cfg, name) < 1:
            raise BurnishError(f"{who}: {name} must be 1 or more, is {getattr(cfg, name)}")
