"""The same arithmetic for NumPy's arrays and torch's tensors: what both libraries name alike."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Array = Any
"""NumPy's array, or torch's tensor on any device."""


def namespace(array: Array) -> Any:
    """The library that `array` is of; torch is imported only for tensors.

    Torch takes NumPy's `axis` and `keepdims`, so that most functions are called alike; a number beside an array is not
    (`clip` and `where` take one, `maximum` does not).
    """
    return np if isinstance(array, np.ndarray) else importlib.import_module("torch")


class Constant:
    """Numbers that never change, kept wherever they were needed once, so that no step copies them to a device again."""

    def __init__(self, value: ArrayLike) -> None:
        self.value = np.asarray(value)
        self._elsewhere: dict[Any, Array] = {}

    def like(self, array: Array) -> Array:
        """`value` of the library and on the device of `array`, in its own precision."""
        if isinstance(array, np.ndarray):
            return self.value
        if (found := self._elsewhere.get(array.device)) is None:
            found = self._elsewhere[array.device] = namespace(array).as_tensor(self.value, device=array.device)
        return found
