"""What is told in words of a name, a sign and a place, one for each camera or object: `front=v4l2:/dev/video0`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from burnish.errors import BurnishError


@dataclass(frozen=True)
class Words:
    """How one is written.

    Attributes:
        option: what the words are given to, for messages.
        sign: between name and place.
        place: what a place is called.
        example: of a word.
    """

    option: str
    sign: str
    place: str
    example: str

    def parse(self, words: Iterable[str]) -> dict[str, str]:
        """Name → place. Raises `BurnishError` that names the option and the word."""
        found = {}
        for word in filter(None, words):
            name, sign, place = word.partition(self.sign)
            if not (name and sign and place):
                raise BurnishError(f"{self.option}: {word!r}; write {self.form('NAME')}, e.g. {self.example}")
            found[name] = place
        return found

    def form(self, name: str) -> str:
        """How the word for `name` looks."""
        return f"{name}{self.sign}{self.place.upper()}"
