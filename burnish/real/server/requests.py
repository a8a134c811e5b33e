"""A request: one observation that fits the policy's contract exactly, and how to plan from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from burnish.contract import TASK, Contract, Field, encode_text
from burnish.errors import RequestError
from burnish.real.server import wire
from burnish.registry import unknown

CONTROL = "burnish/"
"""How keys begin that say how to plan, not what is seen."""
SEED, PREVIOUS, FROZEN = f"{CONTROL}seed", f"{CONTROL}previous", f"{CONTROL}frozen"
SHOWN = 100
"""Letters of a stranger's key that an error repeats."""


@dataclass(frozen=True)
class Request:
    """One observation and how to plan from it.

    Attributes:
        obs: contract key → array of the field's shape and dtype, no batch dimension; finite, physical units.
        seed: from which this connection's noise begins anew, or None to go on.
        previous: (K, A) the actions of the chunk under way, from this observation's moment on, or None.
        frozen: how many of those will have been executed before the answer arrives.
    """

    obs: Mapping[str, np.ndarray]
    seed: int | None = None
    previous: np.ndarray | None = None
    frozen: int = 0


def read(message: bytes | str, contract: Contract, horizon: int) -> Request:
    """The request in a websocket message. Raises `RequestError` that names the field and both values."""
    if isinstance(message, str):
        raise RequestError(f"a text frame of {len(message)} characters; a request is msgpack in a binary frame")
    given = wire.unpack(message)
    if not isinstance(given, dict):
        raise RequestError(f"the message is of the type {type(given).__name__}, expected a map of observation keys")
    control = {key: given.pop(key) for key in [*given] if isinstance(key, str) and key.startswith(CONTROL)}
    _check_keys(control, (SEED, PREVIOUS, FROZEN), "control key")
    _check_keys(given, contract.observation, "observation of this policy")
    if missing := sorted(contract.observation.keys() - given.keys()):
        raise RequestError(f"{missing[0]}: missing; the policy reads {sorted(contract.observation)}")
    obs = {key: _value(key, given[key], field) for key, field in contract.observation.items()}
    return Request(obs, **_control(control, contract.action, horizon))


def _check_keys(given: Iterable[Any], known: Iterable[str], kind: str) -> None:
    for key in given:
        if key not in known:
            shown = key[:SHOWN]  # a longer one would also be slow to compare
            raise RequestError(str(unknown(kind, shown if isinstance(shown, str) else repr(shown), known)))


def _value(key: str, value: Any, field: Field) -> np.ndarray:
    if key == TASK and isinstance(value, str):
        if len(value.encode()) > field.shape[0]:
            raise RequestError(f"{key}: an instruction of {len(value.encode())} bytes; {field.shape[0]} fit")
        return encode_text(value, field.shape[0])
    given = wire.array(value, key)
    if given.shape != field.shape:
        batched = given.shape == (1, *field.shape)
        hint = "; send one observation, without a batch dimension" if batched else ""
        raise RequestError(f"{key}: the shape {given.shape}, expected {field.shape}{hint}")
    if not field.is_number:
        if given.dtype != np.uint8:
            raise RequestError(f"{key}: the dtype {given.dtype}, expected uint8 from 0 to 255")
        return given
    return _finite(key, given, field.dtype)


def _finite(key: str, given: np.ndarray, dtype: str) -> np.ndarray:
    if given.dtype.kind == "b":
        raise RequestError(f"{key}: the dtype bool, expected {dtype}")
    with np.errstate(over="ignore"):
        value = given.astype(dtype)
    bad = ~np.isfinite(value)
    if bad.any():
        place = tuple(np.argwhere(bad)[0].tolist())
        where = f"[{', '.join(map(str, place))}]" if place else ""
        raise RequestError(f"{key}{where}: {given[place]}, expected a finite {dtype}")
    return value


def _control(given: Mapping[str, Any], action: Field, horizon: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if SEED in given:
        found["seed"] = _whole(SEED, given[SEED], 2**64 - 1)
    if PREVIOUS in given:
        previous = wire.array(given[PREVIOUS], PREVIOUS)
        shape, actions = previous.shape, action.shape[-1]
        if len(shape) != 2 or not 1 <= shape[0] <= horizon or shape[1] != actions:
            raise RequestError(f"{PREVIOUS}: the shape {shape}, expected (1 to {horizon}, {actions})")
        found["previous"] = _finite(PREVIOUS, previous, "float32")
    if FROZEN in given:
        if PREVIOUS not in given:
            raise RequestError(f"{FROZEN}: without {PREVIOUS}, of which it counts the first actions")
        found["frozen"] = _whole(FROZEN, given[FROZEN], len(found["previous"]))
    return found


def _whole(key: str, value: Any, largest: int) -> int:
    number = wire.array(value, key)
    if number.shape or number.dtype.kind not in "iu" or not 0 <= number <= largest:
        said = number if not number.shape else f"an array of the shape {number.shape}"
        raise RequestError(f"{key}: {said}, expected a whole number from 0 to {largest}")
    return int(number)
