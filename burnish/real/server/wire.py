"""Messages as openpi writes them: msgpack, in which a numpy array is a map of its bytes, dtype and shape.

https://github.com/Physical-Intelligence/openpi, `packages/openpi-client/src/openpi_client/msgpack_numpy.py`.

Whoever sends a message is not trusted: nothing is unpickled, no declared size is believed, and what a message can
make of itself in memory is bounded by its length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np

from burnish.errors import RequestError

ARRAY, SCALAR = b"__ndarray__", b"__npgeneric__"
"""The key that marks a map as a numpy array, or as a numpy scalar."""
NUMBERS = re.compile(r"[<>|=]?[biuf][1248]")
"""Dtypes that are read: bool, integers and floats of up to eight bytes; no objects, records, texts or subarrays."""
LONGEST = 1024
"""Entries of a list or a map; more are refused."""
MOST = 1 << 16
"""Entries of all lists and maps of a message together: tiny entries take a hundred times more memory than bytes."""
DIMENSIONS = 8
"""Of an array."""


def pack(message: Any) -> bytes:
    """A message as bytes. Raises `RequestError` for what has no place in one: objects, records, complex numbers."""
    try:
        return msgpack.packb(message, default=_packed) or b""
    except (TypeError, ValueError, OverflowError) as error:
        raise RequestError(f"the message cannot be sent: {error}") from error


def unpack(data: bytes, longest: int = LONGEST) -> Any:
    """A message, its arrays still maps, for `array` to read. Raises `RequestError` unless it is whole and harmless.

    Args:
        longest: entries that a list or a map may have.
    """
    count = _counter()
    limits: Any = {"max_array_len": longest, "max_map_len": longest}
    try:
        return msgpack.unpackb(data, object_hook=count, list_hook=count, **limits)
    except RequestError:
        raise
    except (ValueError, OverflowError) as error:  # msgpack's own are ValueErrors, one with no text
        why = str(error) or {"StackError": "nested too deeply"}.get(type(error).__name__, type(error).__name__)
        raise RequestError(f"{len(data)} bytes that are not a msgpack message: {why}") from error


def array(value: Any, name: str) -> np.ndarray:
    """The array, or number, that `value` of an unpacked message stands for; read-only. `name` is for the error.

    Raises `RequestError` that says what is there instead, or which two of bytes, dtype and shape disagree.
    """
    if isinstance(value, dict) and ARRAY in value:
        return _array(value, name)
    if isinstance(value, dict) and SCALAR in value:
        return _scalar(value, name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return np.asarray(value)
    raise RequestError(f"{name}: {_kind(value)}, expected a numpy array")


def _array(value: dict[Any, Any], name: str) -> np.ndarray:
    dtype, data, shape = _dtype(value.get(b"dtype"), name), value.get(b"data"), value.get(b"shape")
    if not isinstance(data, bytes):
        raise RequestError(f"{name}: the array's data is {_kind(data)}, expected bytes")
    if not isinstance(shape, list) or len(shape) > DIMENSIONS or not all(_is_size(size) for size in shape):
        said = repr(shape) if isinstance(shape, list) and len(shape) <= DIMENSIONS else _kind(shape)
        raise RequestError(f"{name}: the array's shape is {said}, expected up to {DIMENSIONS} sizes from 0 on")
    declared = math.prod(shape) * dtype.itemsize
    if declared != len(data):
        raise RequestError(f"{name}: {shape} numbers of {dtype} are {declared} bytes, but {len(data)} bytes came")
    try:
        return np.ndarray(shape, dtype, data)
    except (ValueError, OverflowError) as error:  # empty, yet too large in another dimension
        raise RequestError(f"{name}: an array of the shape {shape}: {error}") from error


def _scalar(value: dict[Any, Any], name: str) -> np.ndarray:
    dtype, number = _dtype(value.get(b"dtype"), name), value.get(b"data")
    if not isinstance(number, int | float):
        raise RequestError(f"{name}: the scalar's data is {_kind(number)}, expected a number")
    try:
        return np.asarray(dtype.type(number))
    except (OverflowError, ValueError) as error:
        raise RequestError(f"{name}: {number!r} is not a {dtype}") from error


def _dtype(text: Any, name: str) -> np.dtype[Any]:
    if not isinstance(text, str) or not NUMBERS.fullmatch(text):
        said = repr(text[:40]) if isinstance(text, str) else _kind(text)
        raise RequestError(f"{name}: the array's dtype is {said}, expected a number such as '<f4' or '|u1'")
    try:
        return np.dtype(text)
    except TypeError as error:  # a float of one byte
        raise RequestError(f"{name}: the array's dtype is {text!r}, which numpy does not have") from error


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 63


def _kind(value: Any) -> str:
    many = f" of {len(value)}" if isinstance(value, dict | list | str | bytes) else ""
    return "nothing" if value is None else f"{type(value).__name__}{many}"


def _counter() -> Callable[[Any], Any]:
    left = MOST

    def count(container: Any) -> Any:
        nonlocal left
        left -= 1 + len(container)
        if left < 0:
            raise RequestError(f"the message has more than {MOST} entries in its lists and maps")
        return container

    return count


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        if not NUMBERS.fullmatch(value.dtype.str):
            raise TypeError(f"an array of dtype {value.dtype}")
        if isinstance(value, np.generic):
            return {SCALAR: True, b"data": value.item(), b"dtype": value.dtype.str}
        return {ARRAY: True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    raise TypeError(f"a {type(value).__name__}")
