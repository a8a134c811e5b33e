"""What a policy's node asks: a policy in its own process, or one behind a policy server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from burnish.errors import BurnishError
from burnish.real.planning import Plans, is_server
from burnish.real.ros.description import Description
from burnish.real.server.access import read_token
from burnish.real.server.planner import open_planner


class Source(Protocol):
    """Plans, and says what it is."""

    description: Description

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None, frozen: int) -> np.ndarray:
        """(H, A) from one observation. Raises `BurnishError`."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Local:
    """A checkpoint or an exported policy."""

    def __init__(self, path: str, seed: int) -> None:
        """Raises `BurnishError` as `open_planner`."""
        self._planner, self._rng = open_planner(Path(path)), np.random.default_rng(seed)
        one = self._planner
        self.description = Description(
            one.name, one.contract, one.horizon, one.replan, one.realtime, trained=one.trained
        )

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None, frozen: int) -> np.ndarray:
        """See `Source`."""
        return self._planner.plan(obs, self._rng, previous=previous, frozen=frozen)

    def close(self) -> None:
        """Nothing to let go of."""


class Remote:
    """A policy server; the token it may want is in the environment, where no parameter shows it."""

    def __init__(self, address: str) -> None:
        """Raises `ServerError` if there is none, `BurnishError` if it does not say what its numbers mean."""
        self._plans, self._broken = Plans(address, read_token(None)), False
        if self._plans.contract is None:
            self.close()
            raise BurnishError(f"{address} does not tell its policy's contract; serve it with `burnish serve`")
        one = self._plans
        self.description = Description(
            address, self._plans.contract, None, one.replan, one.realtime, trained=one.trained
        )

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None, frozen: int) -> np.ndarray:
        """See `Source`; connects again after a failure."""
        if self._broken:
            self._plans.renew()
        self._broken = True
        actions = self._plans.plan(obs, previous, frozen)
        self._broken = False
        return actions

    def close(self) -> None:
        """Hang up."""
        self._plans.close()


def open_source(checkpoint: str, seed: int) -> Source:
    """`checkpoint`: a folder, or ws://HOST:PORT. Raises `BurnishError` if there is no policy."""
    if not checkpoint:
        raise BurnishError("parameter checkpoint is empty; name a checkpoint, an exported policy, or ws://HOST:PORT")
    return Remote(checkpoint) if is_server(checkpoint) else Local(checkpoint, seed)
