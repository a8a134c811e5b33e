"""Several worlds in one process. Isaac Lab keeps the only one in attributes of its classes; here each has its own set.

`with world:` puts its set in place, and what was there before back into its owner's. That costs nothing as long as one
world is used again and again.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

Attributes = list[tuple[Any, dict[str, Any]]]
"""Each class (or thread's store) and what is to be in it."""
COUNTED_ON = ("_callback_id",)
"""Numbers that must never come twice in a process, so that all worlds share them."""


class World:
    """One set of Isaac Lab's class attributes: at first as they are when nothing has been made yet."""

    _current: ClassVar[World | None] = None
    _untouched: ClassVar[Attributes] = []

    def __init__(self) -> None:
        if not World._untouched:
            World._untouched = [(owner, _fresh(found)) for owner, found in _attributes()]
        self._kept: Attributes = [(owner, _fresh(found)) for owner, found in World._untouched]

    def __enter__(self) -> World:
        if World._current is not self:
            if World._current is not None:
                World._current._kept = _attributes()
            for owner, kept in self._kept:
                _replace(owner, kept)
            World._current = self
        return self

    def __exit__(self, *_: object) -> None:
        """It stays in place until another one is used."""


def _owners() -> list[Any]:
    from isaaclab.physics import PhysicsManager  # pyright: ignore[reportAttributeAccessIssue]
    from isaaclab.sim import SimulationContext  # pyright: ignore[reportMissingImports]
    from isaaclab.sim.utils import stage  # pyright: ignore[reportMissingImports]
    from isaaclab_newton.physics import NewtonManager  # pyright: ignore[reportMissingImports]

    return [SimulationContext, PhysicsManager, NewtonManager, stage._context]


def _attributes() -> Attributes:
    return [(owner, {key: value for key, value in vars(owner).items() if _is_ours(key)}) for owner in _owners()]


def _is_ours(name: str) -> bool:
    return not name.startswith(("__", "_abc")) and name not in COUNTED_ON


def _fresh(found: dict[str, Any]) -> dict[str, Any]:
    """With containers of its own."""
    return {key: copy.copy(value) if isinstance(value, (dict, list, set)) else value for key, value in found.items()}


def _replace(owner: Any, kept: dict[str, Any]) -> None:
    for name in [name for name in vars(owner) if _is_ours(name) and name not in kept]:
        delattr(owner, name)
    for name, value in kept.items():
        if vars(owner).get(name, owner) is not value:
            setattr(owner, name, value)
