"""The lanes of one process, and how to make them: one after the other, or all at once where a simulator can."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from burnish.sim.lanes import Arrays, Buffers, LaneGroup, Layout, make_lane


@dataclass(frozen=True)
class LaneSpec:
    """How to make the lanes: `factory` is "package.module:Class", `arguments` its keyword arguments (plain JSON).

    Attributes:
        group: "package.module:Class" of a `Group` that steps all lanes at once, made from this and their buffers; what
            `factory` makes then only looks. "" for lanes that step one after the other.
    """

    factory: str
    arguments: Mapping[str, Any]
    layout: Layout
    horizon: int
    auto_reset: bool
    group: str = ""


class Group(Protocol):
    """Lanes behind `Buffers`, in one process. Commands go to the active ones; `LaneError` says which one failed."""

    def step(self) -> None:
        """One step; a lane that ends is reset in the same step if `auto_reset`."""
        ...

    def reset(self) -> None:
        """Start the episode of `seed`."""
        ...

    def states(self) -> list[Arrays]:
        """One snapshot per lane, active or not."""
        ...

    def restore(self, states: Sequence[Arrays]) -> None:
        """The inverse of `states`."""
        ...

    def poses(self) -> list[Arrays]:
        """What a renderer needs."""
        ...

    def look(self) -> None:
        """Perceive images and points."""
        ...

    def close(self) -> None:
        """Free everything. Safe to call twice."""
        ...


def make_group(spec: LaneSpec, first: int, count: int, buffers: Buffers) -> Group:
    """`count` lanes of `buffers` from `first` on; all of them, or none, where they are stepped at once."""
    if spec.group and count:
        module, _, name = spec.group.partition(":")
        return getattr(importlib.import_module(module), name)(spec, buffers)
    lanes = [make_lane(spec.factory, spec.arguments) for _ in range(count)]
    return LaneGroup(lanes, first, buffers, spec.horizon, spec.auto_reset)


def one_by_one(group: Group) -> LaneGroup:
    """`group`, whose lanes step one after the other. Raises `TypeError` where all are stepped at once."""
    if not isinstance(group, LaneGroup):
        raise TypeError(f"{type(group).__name__} steps all lanes at once")
    return group


def spec_of(given: Mapping[str, Any]) -> LaneSpec:
    """The one among the entries of `given` that `dataclasses.asdict` and JSON have made of it."""
    parts = {part.name: given[part.name] for part in fields(LaneSpec)}
    return LaneSpec(**{**parts, "layout": Layout(**given["layout"])})
