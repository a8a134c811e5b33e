"""What a node is told to listen to: words `NAME:=TOPIC`, one for each camera or object."""

from __future__ import annotations

from collections.abc import Sequence

from burnish.real.words import Words

ARROW = ":="


def parse(parameter: str, words: Sequence[str], example: str) -> dict[str, str]:
    """`["front:=/camera/front/image"]` to name → topic. Raises `BurnishError` that names parameter and word."""
    return topics(parameter, example).parse(words)


def topics(parameter: str, example: str) -> Words:
    """How they are written in `parameter`."""
    return Words(f"parameter {parameter}", ARROW, "topic", example)
