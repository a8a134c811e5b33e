"""Parameters of a node, declared with type, range and meaning; config dataclasses to parameters and back."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterUninitializedException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from burnish.errors import BurnishError
from burnish.real.ros.words import flat

MOST_WHOLE, MOST = 2**31, 1e9
"""ROS knows no range without an end."""
KINDS = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
}


def described(meaning: str, default: Any, low: float = -math.inf, high: float = math.inf) -> ParameterDescriptor:
    """Of a parameter like `default`; a number with a `low` is between the two."""
    about = ParameterDescriptor(description=meaning)
    if math.isfinite(low) and isinstance(default, int):
        about.integer_range = [IntegerRange(from_value=int(low), to_value=int(min(high, MOST_WHOLE)), step=1)]
    elif math.isfinite(low):
        about.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(min(high, MOST)))]
    return about


def declare(
    node: Node,
    name: str,
    default: Any,
    meaning: str,
    *,
    choices: tuple[str, ...] = (),
    least: float | None = None,
) -> None:
    """Declare one parameter.

    Args:
        default: its value; or the type of one that has none, Python's or ROS's.
        choices: all it can be.
        least: the smallest number it can be.
    """
    about = described(meaning, default, -math.inf if least is None else least)
    if choices:
        about.additional_constraints = f"one of: {', '.join(choices)}"
    _declare(node, name, KINDS[default] if isinstance(default, type) else default, about)


def declare_fields(node: Node, prefix: str, kind: type[Any], leave: tuple[str, ...] = ()) -> None:
    """Declare `PREFIX.FIELD` for every field of the dataclass `kind`; one that may be None is undeclared by type."""
    for name, hint, default in _fields(kind):
        if name in leave:
            continue
        about = ParameterDescriptor(description=f"{kind.__name__}.{name}")
        if choices := _choices(hint):
            about.additional_constraints = f"one of: {', '.join(choices)}"
        missing = default is None or default is dataclasses.MISSING
        _declare(node, f"{prefix}.{name}", _type(hint) if missing else flat(default), about)


def _declare(node: Node, name: str, default: Any, about: ParameterDescriptor) -> None:
    try:
        node.declare_parameter(name, default, about)
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise BurnishError(f"parameter {name} cannot be that: {error}") from error


def read_fields(node: Node, prefix: str, kind: type[Any]) -> dict[str, Any]:
    """The fields of `kind` that have a value, for its constructor. Raises `BurnishError` for a wrong word."""
    found = {}
    for name, hint, _ in _fields(kind):
        full = f"{prefix}.{name}"
        if not node.has_parameter(full) or (value := value_of(node, full)) is None:
            continue
        if (choices := _choices(hint)) and value not in choices:
            raise BurnishError(f"parameter {full} is {value!r}; one of: {', '.join(choices)}")
        scalar = isinstance(value, (bool, int, float, str))
        found[name] = value if scalar else _nested(full, list(value), hint)
    return found


def value_of(node: Node, name: str) -> Any:
    """Of a declared parameter; None if it has none."""
    try:
        return node.get_parameter(name).value
    except ParameterUninitializedException:
        return None


def make[T](node: Node, prefix: str, kind: type[T]) -> T:
    """A `kind` from its parameters. Raises `BurnishError` for a value it refuses, and for one that it lacks."""
    given = read_fields(node, prefix, kind)
    for name, _, default in _fields(kind):
        if default is dataclasses.MISSING and name not in given:
            raise BurnishError(f"parameter {prefix}.{name} is needed, and has no default")
    return kind(**given)


def _fields(kind: type[Any]) -> Iterator[tuple[str, Any, Any]]:
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        yield field.name, hints[field.name], default


def _bare(hint: Any) -> Any:
    """Without its None."""
    parts = [part for part in get_args(hint) if part is not type(None)]
    return parts[0] if type(None) in get_args(hint) else hint


def _choices(hint: Any) -> tuple[str, ...]:
    return get_args(hint) if get_origin(hint) is Literal else ()


def _type(hint: Any) -> Parameter.Type:
    bare = _bare(hint)
    if get_origin(bare) is tuple:
        inner = get_args(bare)[0]
        return Parameter.Type.STRING_ARRAY if inner is str else Parameter.Type.DOUBLE_ARRAY
    return KINDS[bare]


def _nested(name: str, row: list[Any], hint: Any) -> Any:
    """The inverse of `flat`, by the type of the field."""
    inner = get_args(_bare(hint))
    if not inner or inner[-1] is ...:
        return tuple(row)
    width = len(get_args(inner[0])) or 1
    if len(row) != width * len(inner):
        raise BurnishError(f"parameter {name}: {len(row)} values {row}, expected {width * len(inner)}")
    if get_origin(inner[0]) is not tuple:
        return tuple(row)
    return tuple(tuple(row[at : at + width]) for at in range(0, len(row), width))
