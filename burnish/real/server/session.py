"""One client: what it is told when it connects, the noise of its plans, and the answer to each message."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from burnish import __version__
from burnish.errors import BurnishError, NonFiniteError
from burnish.real.server import requests, wire
from burnish.real.server.planner import Planner

PROTOCOL = 1
"""Of what is beyond openpi's: the metadata and the control keys."""
RESET = (
    "What is remembered between requests is the noise, and what a recurrent policy remembers: begin an episode by a "
    "new connection, or by burnish/seed with its first observation."
)
LONGEST_ERROR = 2000
"""Characters."""


def metadata(planner: Planner) -> dict[str, Any]:
    """What a client is told when it connects."""
    return {
        "burnish": __version__,
        "protocol": PROTOCOL,
        "policy": planner.name,
        "contract": planner.contract.to_json(),
        "horizon": planner.horizon,
        "replan": planner.replan,
        "realtime": planner.realtime,
        "trained": planner.trained,
        "reset": RESET,
    }


@dataclass(frozen=True)
class Answer:
    """What goes back: bytes with a chunk of actions, or, as openpi does it, a text that says what is wrong.

    Attributes:
        fault: None, "refused" (the request does not fit) or "error" (the policy failed).
        planned_s: how long planning took.
        failure: what the policy raised unexpectedly, for whoever runs the server.
    """

    frame: bytes | str
    fault: Literal["refused", "error"] | None = None
    planned_s: float | None = None
    failure: Exception | None = None


class Session:
    """A connection. The same requests after the same seed get the same answers."""

    def __init__(self, planner: Planner, seed: int) -> None:
        """`seed`: of the noise, until the client sends one."""
        self._planner = planner.fresh()
        self._rng = np.random.default_rng(seed)

    def answer(self, message: bytes | str) -> Answer:
        """The answer to one websocket message; never raises an `Exception`."""
        try:
            return self._plan(requests.read(message, self._planner.contract, self._planner.horizon))
        except NonFiniteError as error:
            return Answer(_short(str(error)), "error")
        except BurnishError as error:
            return Answer(_short(str(error)), "refused")
        except Exception as error:
            text = f"the policy failed: {type(error).__name__}: {error}"
            return Answer(_short(text), "error", failure=error)

    def _plan(self, request: requests.Request) -> Answer:
        if request.seed is not None:
            self._rng, self._planner = np.random.default_rng(request.seed), self._planner.fresh()
        begin = time.perf_counter()
        chunk = self._planner.plan(request.obs, self._rng, previous=request.previous, frozen=request.frozen)
        took = time.perf_counter() - begin
        return Answer(wire.pack({"actions": chunk, "server_timing": {"infer_ms": took * 1e3}}), planned_s=took)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]} …"
