"""The server itself: connections, /healthz and /metrics on one port."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from burnish.console import say
from burnish.errors import BurnishError
from burnish.real.server import access, wire
from burnish.real.server.metrics import Metrics
from burnish.real.server.planner import Planner
from burnish.real.server.session import Session, metadata
from burnish.real.server.worker import Worker

GRACE_S = 0.4
"""How long clients, and then the plan in hand, may take to end when the server stops."""
BIND_FAULTS = {
    errno.EADDRINUSE: "another program uses it; stop that one, or choose another --port",
    errno.EACCES: "only root may use it; choose a --port from 1024 on",
    errno.EADDRNOTAVAIL: "not an address of this computer; choose another --host",
}


@dataclass(frozen=True)
class Settings:
    """Where to listen, and to whom.

    Attributes:
        port: 0 for any that is free.
        token: what clients must know, or None.
        seed: of each connection's noise, until it sends one.
        max_message_bytes: larger messages end their connection.
    """

    host: str
    port: int
    token: str | None
    seed: int
    max_message_bytes: int


class PolicyServer:
    """Serves one planner to any number of clients; plans are made one after the other."""

    def __init__(self, planner: Planner, settings: Settings) -> None:
        """Raises `BurnishError` if `settings` would let strangers in."""
        access.check_address(settings.host, settings.token)
        if not 0 <= settings.port < 1 << 16:
            raise BurnishError(f"--port {settings.port}: a port is a number from 0 (any that is free) to 65535")
        self._planner, self._settings = planner, settings
        self._metrics = Metrics()
        self._greeting = wire.pack(metadata(planner))

    async def run(self, stop: asyncio.Event, ready: Callable[[str, int], None]) -> None:
        """Serve until `stop` is set. `ready` is told host and port once clients can connect.

        Raises `BurnishError` that names an address that cannot be listened on.
        """
        self._worker = Worker()
        try:
            server = await self._listen()
            try:
                ready(self._settings.host, server.sockets[0].getsockname()[1])
                await stop.wait()
            finally:
                server.close()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(server.wait_closed(), GRACE_S)
        finally:
            self._worker.close(GRACE_S)

    async def _listen(self) -> Server:
        settings = self._settings
        quiet = logging.getLogger("burnish.server")
        quiet.setLevel(logging.CRITICAL)  # a scanner's broken handshake is no news
        try:
            return await serve(
                self._connected,
                settings.host,
                settings.port,
                process_request=self._respond,
                origins=[None],  # no page in a browser on this computer may connect behind its user's back
                compression=None,
                max_size=settings.max_message_bytes,
                max_queue=1,  # a client that does not wait for answers must not fill the memory
                logger=quiet,
            )
        except OSError as error:
            why = BIND_FAULTS.get(error.errno or 0, error.strerror)
            raise BurnishError(f"cannot listen on {settings.host}, port {settings.port}: {why}") from error

    def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/healthz":
            return connection.respond(HTTPStatus.OK, "OK\n")
        if not access.allowed(request.headers, self._settings.token):
            self._metrics.refused["token"] += 1
            text = "this server wants a token: Authorization: Api-Key TOKEN\n"
            response = connection.respond(HTTPStatus.UNAUTHORIZED, text)
            response.headers["WWW-Authenticate"] = "Api-Key"
            return response
        return connection.respond(HTTPStatus.OK, self._metrics.text()) if path == "/metrics" else None

    async def _connected(self, connection: ServerConnection) -> None:
        session = Session(self._planner, self._settings.seed)
        self._metrics.clients += 1
        try:
            await connection.send(self._greeting)
            async for message in connection:
                await connection.send(await self._answer(session, message))
        except ConnectionClosed:
            sent = connection.protocol.close_sent
            self._metrics.refused["size"] += sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG
        finally:
            self._metrics.clients -= 1

    async def _answer(self, session: Session, message: bytes | str) -> bytes | str:
        metrics = self._metrics
        metrics.requests += 1
        answer = await self._worker.run(lambda: session.answer(message))
        if answer.planned_s is not None:
            metrics.took(answer.planned_s)
        metrics.refused["message"] += answer.fault == "refused"
        if answer.fault == "error":
            metrics.errors += 1
            trace = "" if answer.failure is None else "\n" + "".join(traceback.format_exception(answer.failure))
            say(f"{answer.frame}{trace}".rstrip())
        return answer.frame
