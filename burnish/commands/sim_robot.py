"""`burnish sim-robot NAME`: a simulated robot that speaks the real one's protocol."""

from __future__ import annotations

from typing import Any

from burnish import registry
from burnish.commands import flags


def configure(words: list[str]) -> tuple[str, Any]:
    """The robot's name and its settings; the first word is the name."""
    name, rest = flags.take_name(words, "burnish sim-robot", "robot", registry.simulated_robots.names())
    return name, flags.parse(registry.simulated_robots.load(name).Config, rest, prog=f"burnish sim-robot {name}")


def run(config: tuple[str, Any]) -> None:
    """Until Ctrl-C, or until it is told to stop."""
    from burnish.real.simulated import serve

    name, settings = config
    serve(registry.simulated_robots.load(name)(settings))
