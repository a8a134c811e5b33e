"""What a policy stands on and is trained before it: the tokenizer it writes with, the behaviours it chooses among."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from burnish.policies.base import Learned
from burnish.registry import Registry


@dataclass(frozen=True)
class Part:
    """Which part, and where it comes from."""

    name: str
    """What the policy calls it; its folder in the policy's run."""
    kinds: Registry
    choice: str
    """One of the `kinds`, which is trained first, or the folder of a trained one."""
    settings: Mapping[str, Any]
    """With one of the `kinds`: its own."""
    load: Callable[[Path], Learned]

    @property
    def fresh(self) -> bool:
        """Whether it is yet to be trained; a folder that is not there counts as the name of a kind."""
        return self.choice in self.kinds.names() or not Path(self.choice).exists()


@runtime_checkable
class Assembled(Protocol):
    """Config of a policy that may have a part, which it takes over by `adopt`."""

    @property
    def part(self) -> Part | None:
        """None: as it is set, it has none."""
        ...

    def with_part(self, made: Learned) -> Self:
        """This config for a policy that is to `adopt` the trained part `made`."""
        ...
