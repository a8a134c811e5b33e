"""The newest of what comes by itself, frames of cameras or poses of objects, and its age."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from burnish.errors import BurnishError


class Newest[News]:
    """Ages are by this computer's clock, from when something came, so that clocks need not agree.

    Attributes:
        names: of whom it is awaited.
    """

    def __init__(self, who: str, what: str, names: Iterable[str], timeout_s: float) -> None:
        """`who`, "camera", sends `what`, "frame"; none new for `timeout_s` is too old.

        Raises `BurnishError` for a time after which nothing would ever be."""
        if not 0 < timeout_s < math.inf:  # NaN too
            raise BurnishError(f"a {who} without a new {what} is blind after a time above 0 s, not after {timeout_s:g}")
        self.names = list(names)
        self._who, self._what, self._timeout_s = who, what, timeout_s
        self._news: dict[str, tuple[News, float]] = {}

    def see(self, name: str, news: News, *, fresh: bool = True) -> None:
        """Something came. What is not `fresh` is the one before again, and no younger."""
        last = self._news.get(name)
        self._news[name] = news, time.monotonic() if fresh or last is None else last[1]

    def last(self, name: str) -> News | None:
        """The newest, however old; None before the first."""
        found = self._news.get(name)
        return None if found is None else found[0]

    def ages_s(self) -> dict[str, float]:
        """Per name, since its newest came; infinite before the first."""
        now = time.monotonic()
        return {name: now - self._news[name][1] if name in self._news else float("inf") for name in self.names}

    def look(self, name: str) -> News:
        """The newest. Raises `BurnishError` naming whose is too old, and since when."""
        if name not in self._news:
            raise BurnishError(f"no {self._what} of {self._who} {name!r} yet")
        news, fresh_s = self._news[name]
        age = time.monotonic() - fresh_s
        if age > self._timeout_s:
            raise BurnishError(
                f"no new {self._what} of {self._who} {name!r} for {age:.2f} s (at most {self._timeout_s:g})"
            )
        return news
