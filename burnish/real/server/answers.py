"""What a server sends, read by its client: first what it is, then chunks of actions.

Each function raises `ServerError` that begins with the server's `address`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from burnish.contract import Contract
from burnish.errors import CorruptFileError, RequestError, ServerError
from burnish.real.server import wire
from burnish.real.server.session import PROTOCOL


def greeting(frame: bytes | str, address: str) -> dict[str, Any]:
    """The metadata in a connection's first frame."""
    found = _read(frame, address) if isinstance(frame, bytes) else frame
    if not isinstance(found, dict):
        raise ServerError(f"{address}: begins with the type {type(found).__name__}, not a map; not a policy server")
    if "burnish" in found and found.get("protocol") != PROTOCOL:
        theirs = f"burnish {found['burnish']} with protocol {found.get('protocol')}"
        raise ServerError(f"{address}: {theirs}; this client reads {PROTOCOL}: install the same version on both sides")
    return found


def contract(metadata: Mapping[str, Any], address: str) -> Contract | None:
    """What the policy's numbers mean; None from a server of another make."""
    if "burnish" not in metadata:
        return None
    try:
        return Contract.from_json(metadata.get("contract", {}), source=address)
    except CorruptFileError as error:
        raise ServerError(str(error)) from error


def count(metadata: Mapping[str, Any], key: str, address: str) -> int | None:
    """How many actions the metadata say of `key`; None where they do not."""
    value = metadata.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise ServerError(f"{address}: its {key} is {value!r}, expected a whole number above 0")


def ranges(metadata: Mapping[str, Any], address: str) -> dict[str, tuple[float, float]]:
    """What the policy was trained to move, by name; empty where the metadata do not say."""
    try:
        told = dict(metadata.get("trained") or {})
        return {str(name): (float(low), float(high)) for name, (low, high) in told.items()}
    except (TypeError, ValueError) as error:
        raise ServerError(f"{address}: what it was trained to move cannot be read ({error})") from error


def chunk(frame: bytes, address: str, contract: Contract | None, horizon: int | None) -> np.ndarray:
    """The actions (H, A) float32 in an answer; finite, and as many as `contract` and `horizon` say."""
    found = _read(frame, address)
    if not isinstance(found, dict) or "actions" not in found:
        raise ServerError(f"{address}: an answer without actions; not a policy server")
    try:
        actions = wire.array(found["actions"], "actions").astype(np.float32)
    except RequestError as error:
        raise ServerError(f"{address}: {error}") from error
    wanted = None if contract is None else (horizon, contract.action.shape[-1])
    if actions.ndim != 2 or not actions.size or actions.shape != (wanted or actions.shape):
        raise ServerError(f"{address}: actions of the shape {actions.shape}, expected {wanted or '(H, A)'}")
    if not np.isfinite(actions).all():
        raise ServerError(f"{address}: an action is NaN or infinite; do not execute this chunk")
    return actions


def _read(data: bytes, address: str) -> Any:
    try:
        return wire.unpack(data, wire.MOST)  # a server is trusted more than its clients are
    except RequestError as error:
        raise ServerError(f"{address}: {error}; not a policy server") from error
