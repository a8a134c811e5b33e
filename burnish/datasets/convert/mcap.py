"""MCAP from beginning to end, without its index: a file whose recorder was killed has none.

Format: https://mcap.dev/spec. Records are an opcode, a length, and that many bytes; chunks hold records, compressed.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

from burnish.errors import CorruptFileError

ABOUT = "burnish/about"
"""Topic of the first message of our own bags: std_msgs/String, the JSON of robot, contract, cameras and topics."""
MAGIC = b"\x89MCAP0\r\n"
MOST_CHUNK = 1 << 30
"""Bytes; recorders make chunks of about a MiB."""
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, DATA_END = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0F


class Message(NamedTuple):
    """`time_ns`: when it was recorded, since 1970; `data`: as ROS serialized it."""

    topic: str
    kind: str
    time_ns: int
    data: bytes


class Mcap:
    """One file.

    Attributes:
        lost_bytes: of the last chunk, which was being written when the recorder died; known after `messages`.
        finished: whether it was closed properly.
    """

    def __init__(self, path: Path) -> None:
        """Raises `CorruptFileError` unless it begins as MCAP does."""
        self.path, self.lost_bytes = path, 0
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, tuple[str, str]] = {}
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise CorruptFileError(f"{path}: not an MCAP file")
            self._size = file.seek(0, 2)
            file.seek(max(self._size - len(MAGIC), len(MAGIC)))
            self.finished = file.read() == MAGIC

    def messages(self) -> Iterator[Message]:
        """In the order of the file. Raises `CorruptFileError` where a file that was closed properly is damaged."""
        with self.path.open("rb") as file:
            at = file.seek(len(MAGIC))
            while at < self._size:
                try:
                    code, body = self._record(file)
                    if code in (DATA_END, FOOTER):
                        return
                    found = list(self._read(code, body))
                except (ValueError, KeyError, struct.error, UnicodeDecodeError) as error:
                    if self.finished:
                        raise CorruptFileError(f"{self.path}: damaged at byte {at} ({error}); copy it again") from error
                    self.lost_bytes = self._size - at
                    return
                yield from found
                at = file.tell()

    def _record(self, file: BinaryIO) -> tuple[int, bytes]:
        code, length = struct.unpack("<BQ", file.read(9))
        if length > self._size - file.tell():
            raise ValueError(f"a record of {length} bytes, {self._size - file.tell()} are there")
        return code, file.read(length)

    def _read(self, code: int, body: bytes) -> Iterator[Message]:
        if code == SCHEMA:
            self._schemas[struct.unpack_from("<H", body)[0]] = _text(body, 2)[0]
        elif code == CHANNEL:
            number, schema = struct.unpack_from("<HH", body)
            self._channels[number] = (_text(body, 4)[0], self._schemas[schema])
        elif code == MESSAGE:
            number, _, time_ns = struct.unpack_from("<HIQ", body)
            yield Message(*self._channels[number], time_ns, body[22:])
        elif code == CHUNK:
            yield from self._chunk(body)

    def _chunk(self, body: bytes) -> Iterator[Message]:
        size, crc = struct.unpack_from("<QI", body, 16)
        method, at = _text(body, 28)
        if size > MOST_CHUNK:
            raise ValueError(f"a chunk of {size} bytes, at most {MOST_CHUNK} are read")
        data = _decompress(method, body[at + 8 :], size + 1)
        if len(data) != size or (crc and crc32(data) != crc):
            raise ValueError("a chunk's content is not what its head says")
        at = 0
        while at < size:
            code, length = struct.unpack_from("<BQ", data, at)
            if at + 9 + length > size:
                raise ValueError("a message is longer than its chunk")
            yield from self._read(code, data[at + 9 : at + 9 + length])
            at += 9 + length


def in_order(messages: Iterator[tuple[int, Message]], window_ns: int) -> Iterator[tuple[int, Message]]:
    """(time, message) pairs by their own time, of which none is more than `window_ns` late."""
    waiting: list[tuple[int, int, Message]] = []
    newest = 0
    for count, (time_ns, message) in enumerate(messages):
        newest = max(newest, time_ns)
        heapq.heappush(waiting, (time_ns, count, message))
        while waiting and waiting[0][0] <= newest - window_ns:
            time_ns, _, message = heapq.heappop(waiting)
            yield time_ns, message
    while waiting:
        time_ns, _, message = heapq.heappop(waiting)
        yield time_ns, message


def _text(body: bytes, at: int) -> tuple[str, int]:
    """A string and where it ends."""
    (length,) = struct.unpack_from("<I", body, at)
    return body[at + 4 : at + 4 + length].decode(), at + 4 + length


def _decompress(method: str, data: bytes, most: int) -> bytes:
    """At most `most` bytes of what `data` becomes: who packed it is not trusted."""
    if method == "":
        return data
    if method == "zstd":
        from backports import zstd  # with rosbags

        try:
            return _whole(zstd.ZstdDecompressor, data, most)
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from error
    if method == "lz4":
        import lz4.frame  # with rosbags

        try:
            return _whole(lz4.frame.LZ4FrameDecompressor, data, most)
        except RuntimeError as error:
            raise ValueError(str(error)) from error
    raise ValueError(f"compression {method!r}")


def _whole(decompressor: Callable[[], Any], data: bytes | None, most: int) -> bytes:
    """Of all frames in `data`, one after the other."""
    found = b""
    while data and len(found) < most:
        one = decompressor()
        found += one.decompress(data, most - len(found))
        data = one.unused_data if one.eof else None
    return found
