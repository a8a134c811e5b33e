"""Finding a Ray cluster, and what to say where there is none."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from burnish.errors import BurnishError

AUTO, LOCAL = "auto", "local"
"""Addresses: the cluster that this machine belongs to; one of this machine alone, as long as the command runs."""


@dataclass(frozen=True)
class FleetConfig:
    """Rollout workers on a Ray cluster."""

    workers: int | None = None
    """How many; None: one per CPU of the cluster. Each has `--refine.lanes` lanes."""
    steps: int = 32
    """Of every lane, played before they are handed to the learner, by algorithms that learn from a stream."""
    staleness: int = 2
    """Rounds (that many steps of every worker) that the weights somebody plays with may be behind; the learner waits
    for who would be further behind (stale synchronous parallel, Ho et al. 2013)."""
    silence_s: float = 300.0
    """A worker that hands in nothing for so long is taken for dead."""
    join_s: float = 120.0
    """How long to wait for the first worker."""


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Inside, Ray is connected to the cluster at `address`: "auto", HOST:PORT, ray://HOST:PORT, or "local".

    Raises `BurnishError` if Ray is not installed or there is no cluster.
    """
    # Under `uv run` Ray would have every worker build an environment of its own, which takes minutes.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError as error:
        raise BurnishError(f"--ray needs Ray: pip install 'burnish[ray]' ({error})") from error

    if ray.is_initialized():
        yield  # who made it, ends it
        return
    where: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {"address": address}
    try:
        if address not in (AUTO, LOCAL):
            _knock(address)
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise BurnishError(
            f"--ray {address}: no Ray cluster there ({error}). Start one with `ray start --head`, on other machines "
            "`ray start --address HEAD:6379`; or `--ray local` for this machine alone"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise `OSError` or `ValueError` at once if nobody listens; Ray would try for a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    socket.create_connection((host, int(port)), timeout=5.0).close()
