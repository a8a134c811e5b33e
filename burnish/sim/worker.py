"""The worker process: steps some lanes of a shared block whenever one byte on its socket says so.

Started by `burnish.sim.workers` as `python -m burnish.sim.worker`; imports neither torch nor the caller's main
module. It ends when its socket closes, so it cannot outlive the process that started it.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any

from safetensors.numpy import load, save

from burnish.errors import BurnishError
from burnish.sim.groups import Group, make_group, one_by_one, spec_of
from burnish.sim.lanes import Arrays, LaneError

STEP, STEP_CHUNK, RESET, STATES, RESTORE, POSES, LOOK = b"S", b"C", b"R", b"Q", b"W", b"P", b"L"
DONE, DATA, FAILED = b"k", b"d", b"e"
ORPHAN_CHECK_S = 5.0
"""How often an idle worker looks whether its parent lives: a third process may hold the socket's other end."""


def send_data(connection: socket.socket, kind: bytes, data: bytes) -> None:
    """One byte of `kind`, eight bytes of length, then `data`."""
    connection.sendall(kind + len(data).to_bytes(8, "little") + data)


def receive_data(connection: socket.socket) -> bytes:
    """What `send_data` sent after the kind. Raises `EOFError` if the other side is gone."""
    return _exactly(connection, int.from_bytes(_exactly(connection, 8), "little"))


def pack(states: list[Arrays]) -> bytes:
    """Snapshots or poses of several lanes as one safetensors blob: no pickle on any wire."""
    return save(
        {f"{index}/{name}": value.copy() for index, state in enumerate(states) for name, value in state.items()}
    )


def unpack(data: bytes) -> list[Arrays]:
    """The inverse of `pack`."""
    states: dict[int, Arrays] = {}
    for path, value in load(data).items():
        index, _, name = path.partition("/")
        states.setdefault(int(index), {})[name] = value
    return [states[index] for index in sorted(states)]


def main() -> None:
    """Serve until the socket closes. The only argument is a JSON object written by `burnish.sim.workers`."""
    # Ctrl-C is for the caller, who then closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spec: dict[str, Any] = json.loads(sys.argv[1])
    # The caller may be gone at any moment: there is no one left to tell.
    with socket.socket(fileno=spec["socket"]) as connection, contextlib.suppress(EOFError, ConnectionError):
        try:
            group = _build(spec)
        except Exception as error:
            _fail(connection, spec["first"], error)
            return
        connection.sendall(DONE)
        while _wait(connection, spec["parent"]) and (command := connection.recv(1)):
            _obey(connection, group, command)


def _build(spec: dict[str, Any]) -> Group:
    lanes = spec_of(spec)
    block = mmap.mmap(spec["memory"], lanes.layout.nbytes)
    return make_group(lanes, spec["first"], spec["lanes"], lanes.layout.arrays(block))


def _obey(connection: socket.socket, group: Group, command: bytes) -> None:
    payload = receive_data(connection) if command == RESTORE else b""
    try:
        if command == STEP:
            group.step()
        elif command == STEP_CHUNK:
            one_by_one(group).step_chunk()
        elif command == RESET:
            group.reset()
        elif command == LOOK:
            group.look()
        elif command == RESTORE:
            group.restore(unpack(payload))
        else:
            send_data(connection, DATA, pack(group.states() if command == STATES else group.poses()))
            return
    except LaneError as error:
        _fail(connection, error.lane, error.__cause__ or error)
        return
    connection.sendall(DONE)


def _fail(connection: socket.socket, lane: int, error: BaseException) -> None:
    text = str(error) if isinstance(error, BurnishError) else "".join(traceback.format_exception(error))
    send_data(connection, FAILED, json.dumps({"lane": lane, "error": text}).encode())


def _wait(connection: socket.socket, parent: int) -> bool:
    while not select.select([connection], [], [], ORPHAN_CHECK_S)[0]:
        if os.getppid() != parent:
            return False
    return True


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError("the other side is gone")
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    main()
