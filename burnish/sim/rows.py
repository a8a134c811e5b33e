"""Every tensor of a batched simulator with a row per world: to keep some worlds as they are, or to save them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

Place = tuple[Any, str]
"""An object and the name of its attribute."""
View = Callable[[Any], Any]
"""What to see in an attribute's value: a tensor that shares its memory, or the value itself."""


def as_it_is(value: Any) -> Any:
    """The `View` of a simulator that keeps torch's tensors."""
    return value


class Rows:
    """Those in `tensors`, and those found, attribute by attribute, in every object of `packages` behind `root`."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        root: Any,
        packages: tuple[str, ...],
        count: int,
        view: View = as_it_is,
    ) -> None:
        self._tensors, self._numbers = dict(tensors), dict[str, Place]()
        for path, owner, name, value in _walk(root, packages, view):
            if isinstance(value, Tensor):
                if value.ndim and value.shape[0] == count:
                    self._tensors[path] = value
            elif not name.endswith("_id"):  # who somebody is, not what he is up to
                self._numbers[path] = (owner, name)

    def take(self, mask: Tensor) -> dict[str, Tensor]:
        """A copy of the rows of `mask` (N,) bool."""
        return {name: tensor[mask] for name, tensor in self._tensors.items()}

    def put(self, mask: Tensor, rows: Mapping[str, Tensor]) -> None:
        """Write back what `take` gave."""
        for name, tensor in self._tensors.items():
            if name in rows and not _is_expanded(tensor):
                tensor[mask] = rows[name]

    def numbers(self) -> dict[str, float]:
        """Counters and switches that all worlds share."""
        return {path: getattr(owner, name) for path, (owner, name) in self._numbers.items()}

    def recall(self, numbers: Mapping[str, float]) -> None:
        """Write back what `numbers` gave."""
        for path, (owner, name) in self._numbers.items():
            if path in numbers and getattr(owner, name) != numbers[path]:
                setattr(owner, name, numbers[path])


def _is_expanded(tensor: Tensor) -> bool:
    """Whether its rows are one and the same memory: a constant."""
    return tensor.shape[0] > 1 and tensor.stride(0) == 0


def _walk(root: Any, packages: tuple[str, ...], view: View) -> Iterator[tuple[str, Any, str, Any]]:
    seen: set[int] = set()
    todo = [("", root)]
    while todo:
        path, owner = todo.pop()
        if not isinstance(owner, Slot):  # which are made anew: what one of them was called, the next one may be
            if id(owner) in seen:
                continue
            seen.add(id(owner))
        if isinstance(owner, Mapping):
            todo += [(f"{path}/{key}", Slot(owner, key)) for key in owner]
        elif isinstance(owner, (list, tuple)):
            todo += [(f"{path}/{index}", Slot(owner, index)) for index in range(len(owner))]
        elif isinstance(owner, Slot):
            value = view(owner.value)
            if isinstance(value, Tensor):
                yield path, owner, "value", value
            else:
                todo.append((path, value))
        elif type(owner).__module__.startswith(packages):
            attributes = getattr(owner, "__dict__", {})
            empty = attributes.get("data", owner) is None  # a cache that was never filled is not as old as another
            for name, kept in attributes.items():
                value = view(kept)
                if isinstance(value, Tensor) or (isinstance(value, (bool, int, float)) and not empty):
                    yield f"{path}.{name}", owner, name, value
                else:
                    todo.append((f"{path}.{name}", value))


class Slot:
    """An entry of a list or a dictionary."""

    def __init__(self, owner: Any, key: Any) -> None:
        self.value = owner[key]
