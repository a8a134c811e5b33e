"""The newest picture of every camera that a policy reads, and how old it is: the same with ROS and without."""

from __future__ import annotations

import time
from collections.abc import Iterable

from burnish.contract import IMAGES, Contract
from burnish.errors import BurnishError
from burnish.real.words import Words


class Newest[Picture]:
    """Ages are by this computer's clock, from when a picture came, so that clocks need not agree.

    Attributes:
        names: of the cameras.
    """

    def __init__(self, contract: Contract, named: Iterable[str], timeout_s: float, words: Words) -> None:
        """Raises `BurnishError` if a camera that the policy reads is not `named`, or one is that it does not read."""
        self.names = sorted(key.removeprefix(IMAGES) for key in contract.images)
        self._timeout_s = timeout_s
        self._pictures: dict[str, tuple[Picture, float]] = {}
        given = set(named)
        if missing := [name for name in self.names if name not in given]:
            raise BurnishError(
                f"the policy sees by camera {missing[0]!r}, for which {words.option} names no {words.place}; "
                f"add {words.form(missing[0])}"
            )
        if extra := sorted(given.difference(self.names)):
            raise BurnishError(f"{words.option}: the policy has no camera {extra[0]!r}; it has {self.names}")

    def see(self, name: str, picture: Picture, *, fresh: bool = True) -> None:
        """A picture came. One that is not `fresh` is the one before again, and no younger."""
        last = self._pictures.get(name)
        self._pictures[name] = picture, time.monotonic() if fresh or last is None else last[1]

    def last(self, name: str) -> Picture | None:
        """The newest, however old; None before the first."""
        found = self._pictures.get(name)
        return None if found is None else found[0]

    def ages_s(self) -> dict[str, float]:
        """Per camera, since its newest picture came; infinite before the first."""
        now = time.monotonic()
        return {name: now - self._pictures[name][1] if name in self._pictures else float("inf") for name in self.names}

    def look(self, name: str) -> Picture:
        """The newest. Raises `BurnishError` naming a camera that is blind, and since when."""
        if name not in self._pictures:
            raise BurnishError(f"camera {name!r} has sent no frame yet")
        picture, fresh_s = self._pictures[name]
        age = time.monotonic() - fresh_s
        if age > self._timeout_s:
            raise BurnishError(f"camera {name!r} has sent no new frame for {age:.2f} s (at most {self._timeout_s:g})")
        return picture
