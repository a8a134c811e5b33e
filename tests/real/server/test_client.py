"""`RemotePolicy` before servers of another make, and before what is no policy server at all."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import msgpack
import numpy as np
import pytest
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as listen

from burnish.contract import STATE
from burnish.errors import RequestError, ServerError
from burnish.real.server import wire
from burnish.real.server.client import RemotePolicy
from burnish.real.server.session import metadata

OBS = {STATE: np.zeros(6)}


@contextlib.contextmanager
def other_server(handle: Callable[[ServerConnection], None]) -> Iterator[str]:
    """A websocket server that does as a test wants."""
    with listen(handle, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def openpi(answer: bytes | str, told: bytes | str = b"\x80") -> Callable[[ServerConnection], None]:
    """What openpi's server does: metadata of any kind, then an answer to each message; an error ends it."""

    def handle(connection: ServerConnection) -> None:
        connection.send(told)
        for _ in connection:
            connection.send(answer)
            if isinstance(answer, str):
                return

    return handle


def test_an_openpi_server_is_one_without_a_contract():
    chunk = np.arange(14.0).reshape(2, 7)
    answer = {"actions": chunk, "state": np.zeros(3), "policy_timing": {"infer_ms": np.float64(3)}}
    with (
        other_server(openpi(wire.pack(answer), msgpack.packb({"reset_pose": [0.5, 1]}))) as address,
        RemotePolicy(address) as remote,
    ):
        assert (remote.contract, remote.horizon, remote.replan, remote.realtime) == (None, None, None, False)
        assert remote.metadata == {"reset_pose": [0.5, 1]}
        found = remote.plan({"observation/state": np.zeros(3), "prompt": "pick"})
        assert found.dtype == np.float32
        assert np.array_equal(found, chunk)
        with pytest.raises(RequestError, match="does not know real-time chunking"):
            remote.plan({}, np.zeros((2, 7)))


def test_an_openpi_servers_traceback_is_told():
    with other_server(openpi("Traceback\nKeyError: 'prompt'")) as address, RemotePolicy(address) as remote:
        with pytest.raises(RequestError, match="refuses: Traceback\nKeyError: 'prompt'"):
            remote.plan({})
        with pytest.raises(ServerError, match=r"the connection ended .* connect again"):
            remote.plan({})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"\xc1", "not a msgpack message"),
        (b"\x80", "an answer without actions"),
        (wire.pack({"actions": [1.0]}), "actions: list of 1, expected a numpy array"),
        (wire.pack({"actions": np.zeros(4)}), r"actions of the shape \(4,\), expected \(H, A\)"),
        (wire.pack({"actions": np.full((1, 4), np.nan)}), "an action is NaN or infinite; do not execute"),
    ],
)
def test_what_is_no_chunk_of_actions_is_never_returned(answer, why):
    with (
        other_server(openpi(answer)) as address,
        RemotePolicy(address) as remote,
        pytest.raises(ServerError, match=f"ws://{address}: .*{why}"),
    ):
        remote.plan(OBS)


def test_a_chunk_that_is_not_the_contracts_is_refused(written):
    told = wire.pack(metadata(written(None)))
    answer = wire.pack({"actions": np.zeros((3, 5))})
    with other_server(openpi(answer, told)) as address, RemotePolicy(address) as remote:
        assert remote.horizon == 3
        with pytest.raises(ServerError, match=r"actions of the shape \(3, 5\), expected \(3, 4\)"):
            remote.plan(OBS)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("hello", "begins with the type str, not a map; not a policy server"),
        (b"\x93\x01\x02\x03", "begins with the type list"),
        (b"\xc1", "not a msgpack message"),
        (msgpack.packb({"burnish": "9.0", "protocol": 2}), "burnish 9.0 with protocol 2; this client reads 1"),
        (msgpack.packb({"burnish": "0.1", "protocol": 1, "contract": {}}), "not a contract"),
    ],
)
def test_another_protocol_is_named(told, why):
    with other_server(openpi(b"", told)) as address, pytest.raises(ServerError, match=why):
        RemotePolicy(address)


def test_a_late_answer_is_never_taken_for_the_next_one(serving, written):
    late = threading.Event()
    with serving(written(lambda _: late.wait(20))) as address:
        remote = RemotePolicy(address, timeout_s=0.2)
        with pytest.raises(ServerError, match=r"silent for 0\.2 s; connect again"):
            remote.plan(OBS)
        late.set()
        with pytest.raises(ServerError, match="the connection ended"):
            remote.plan(OBS)


def test_a_server_that_has_gone_is_named(serving, written):
    with serving(written(lambda _: 1)) as address:
        remote = RemotePolicy(address)
    with pytest.raises(ServerError, match="the connection ended"):
        remote.plan(OBS)
    with pytest.raises(ServerError, match=f"ws://{address}: no server there .* `burnish serve`"):
        RemotePolicy(address)


def test_what_is_no_websocket_is_named():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(ServerError, match="no server there"):
            RemotePolicy(f"127.0.0.1:{port}", connect_timeout_s=0.3)
    for address in ("http://127.0.0.1:80", "127.0.0.1:many", "ws://"):
        with pytest.raises(ServerError, match="not an address; write HOST:PORT"):
            RemotePolicy(address)


def test_what_cannot_be_sent_is_refused_before_it_is(serving, written):
    with serving(written(lambda _: 1)) as address, RemotePolicy(address) as remote:
        with pytest.raises(RequestError, match="cannot be sent: an array of dtype object"):
            remote.plan({STATE: np.array([None])})
        assert remote.plan(OBS).shape == (3, 4)
