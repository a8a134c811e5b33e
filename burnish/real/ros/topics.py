"""What a node is told to listen to: words `NAME:=TOPIC`, one for each camera or object."""

from __future__ import annotations

from collections.abc import Sequence

from burnish.errors import BurnishError

ARROW = ":="


def parse(parameter: str, words: Sequence[str], example: str) -> dict[str, str]:
    """`["front:=/camera/front/image"]` to name → topic. Raises `BurnishError` that names parameter and word."""
    found = {}
    for word in filter(None, words):
        name, arrow, topic = word.partition(ARROW)
        if not (name and arrow and topic):
            raise BurnishError(f"parameter {parameter}: {word!r}; write NAME{ARROW}TOPIC, e.g. {example}")
        found[name] = topic
    return found
