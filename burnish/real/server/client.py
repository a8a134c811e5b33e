"""A policy on another computer: a client of `burnish serve`, and of any server that speaks openpi's protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import ClientConnection, connect

from burnish.errors import RequestError, ServerError
from burnish.real.server import answers, wire
from burnish.real.server.requests import FROZEN, PREVIOUS, SEED


class RemotePolicy:
    """A connection to a policy server. Not for several threads at once.

    Attributes:
        metadata: what the server told of itself.
        contract: what observations and actions mean; None from a server of another make.
        horizon: actions per chunk, H; None if the server does not say.
        replan: actions to execute from each chunk before the next one is asked for; None if the server does not say.
        realtime: whether the server goes on with a chunk that is being executed.
        trained: ranges of what the policy was trained to move, by name; empty if the server does not say.
    """

    def __init__(
        self, address: str, token: str | None = None, *, timeout_s: float = 10.0, connect_timeout_s: float = 10.0
    ) -> None:
        """Connect.

        Args:
            address: HOST:PORT, or a ws:// or wss:// address.
            token: what the server wants to know, if anything.
            timeout_s: how long `plan` waits for an answer.
        Raises `ServerError` that names the address: nobody there, token refused, or not a policy server.
        """
        self.address = address if "://" in address else f"ws://{address}"
        self._timeout_s = timeout_s
        self._socket = self._connect(token, connect_timeout_s)
        try:
            self.metadata = answers.greeting(self._receive(connect_timeout_s), self.address)
            self.contract = answers.contract(self.metadata, self.address)
            self.horizon = answers.count(self.metadata, "horizon", self.address)
            self.replan = answers.count(self.metadata, "replan", self.address)
            self.trained = answers.ranges(self.metadata, self.address)
        except ServerError:
            self.close()
            raise
        self.realtime = self.metadata.get("realtime") is True

    def plan(
        self,
        obs: Mapping[str, Any],
        previous: np.ndarray | None = None,
        frozen: int = 0,
        *,
        seed: int | None = None,
    ) -> np.ndarray:
        """The server's action chunk (H, A) float32, physical units.

        Args:
            obs: contract key → array without a batch dimension; `task` as a str.
            previous: (K, A) the actions of the chunk under way from this observation's moment on; needs `realtime`.
            frozen: how many of those will have been executed before the answer is there.
            seed: begin this connection's noise anew, as for an episode; None: go on.
        Raises:
            RequestError: the server refuses the request, and says why; the connection can be used further.
            ServerError: it is gone or silent, or its answer is no chunk of finite actions; connect again.
        """
        if previous is not None and not self.realtime:
            raise RequestError(
                f"{PREVIOUS}: the server at {self.address} does not know real-time chunking; leave it out"
            )
        message = dict(obs)
        if previous is not None:
            message |= {PREVIOUS: previous, FROZEN: frozen}
        if seed is not None:
            message[SEED] = seed
        data = wire.pack(message)
        with self._connection():
            self._socket.send(data)
        answer = self._receive(self._timeout_s)
        if isinstance(answer, str):
            raise RequestError(f"{self.address} refuses: {answer}")
        return answers.chunk(answer, self.address, self.contract, self.horizon)

    def close(self) -> None:
        """Say goodbye, waiting a moment for the server to answer. Safe to call twice."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self, token: str | None, timeout_s: float) -> ClientConnection:
        headers = {"Authorization": f"Api-Key {token}"} if token else None
        options: dict[str, Any] = {"compression": None, "max_size": None, "proxy": None, "close_timeout": 1}
        try:
            return connect(self.address, additional_headers=headers, open_timeout=timeout_s, **options)
        except InvalidStatus as error:
            status = error.response.status_code
            refused = "the token is not the server's" if token else "the server wants a token"
            why = refused if status == 401 else f"HTTP status {status}; not a policy server"
            raise ServerError(f"{self.address}: {why}") from error
        except (InvalidURI, ValueError) as error:
            raise ServerError(f"{self.address}: not an address; write HOST:PORT") from error
        except InvalidHandshake as error:
            raise ServerError(f"{self.address}: does not speak websocket ({error}); not a policy server") from error
        except OSError as error:  # a timeout among them
            raise ServerError(f"{self.address}: no server there ({error}); start one with `burnish serve`") from error

    def _receive(self, timeout_s: float) -> bytes | str:
        with self._connection():
            try:
                return self._socket.recv(timeout_s)
            except TimeoutError as error:
                self._socket.close()  # a late answer must not be taken for the next one's
                raise ServerError(f"{self.address}: silent for {timeout_s:g} s; connect again") from error

    @contextmanager
    def _connection(self) -> Iterator[None]:
        try:
            yield
        except ConnectionClosed as error:
            end = error.rcvd or error.sent
            why = end.reason or f"code {end.code}" if end else "without a word"
            raise ServerError(f"{self.address}: the connection ended ({why}); connect again") from error
