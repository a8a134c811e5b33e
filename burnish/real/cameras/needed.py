"""Which cameras a policy sees by: the same question with ROS and without."""

from __future__ import annotations

from collections.abc import Iterable

from burnish.contract import IMAGES, Contract
from burnish.errors import BurnishError
from burnish.real.words import Words


def needed(contract: Contract, named: Iterable[str], words: Words) -> list[str]:
    """Names of the cameras that the policy of `contract` reads.

    Raises `BurnishError` if one of them is not `named`, or one is that it does not read.
    """
    names = sorted(key.removeprefix(IMAGES) for key in contract.images)
    given = set(named)
    if missing := [name for name in names if name not in given]:
        raise BurnishError(
            f"the policy sees by camera {missing[0]!r}, for which {words.option} names no {words.place}; "
            f"add {words.form(missing[0])}"
        )
    if extra := sorted(given.difference(names)):
        raise BurnishError(f"{words.option}: the policy has no camera {extra[0]!r}; it has {names}")
    return names
