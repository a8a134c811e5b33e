"""Unitree's messages as NumPy records: laid out as in C for the CRC, as CDR on the wire.

The SDK fills, packs and serialises a message attribute by attribute, which takes a fourth of a 2 ms cycle for 35
motors. Here a message is one record of the same fields, so that a column of motors is filled at once; which byte of the
stream is which byte of the record is worked out once per type. Topics, types and bytes on the wire are the SDK's own.
"""

from __future__ import annotations

import functools
import importlib
import zlib
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

HEAD = b"\x00\x01\x00\x00"
"""How a stream begins: plain CDR, little-endian (OMG DDSI-RTPS, section 10)."""
MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""A byte with its bits in the other order."""


class Message:
    """What a topic carries; `message_type` makes one class for each IDL type.

    Attributes:
        record: of type `layout`, without dimensions; its fields are named as in the IDL.
    """

    layout: ClassVar[np.dtype]
    outward: ClassVar[np.ndarray]
    """For every byte of the stream its place in the record, or in the head, which lies behind the record."""
    inward: ClassVar[np.ndarray]
    """For every byte of the record its place in the stream; padding comes from the head's first byte, a zero."""
    sample_info: Any = None
    """Set by the reader."""

    def __init__(self) -> None:
        size = self.layout.itemsize
        self._bytes = np.zeros(size + len(HEAD), np.uint8)
        self._bytes[size:] = np.frombuffer(HEAD, np.uint8)
        self._words = self._bytes[: size - 4].view(np.uint32)
        self.record = self._bytes[:size].view(self.layout).reshape(())

    def crc(self) -> int:
        """Of everything but the last word, where it is kept.

        The SDK's `crc32_core`: polynomial 0x04C11DB7 from the highest bit of each word on. zlib's is the same with the
        bits in the other order, and needs a tenth of the time.
        """
        value = zlib.crc32(self._words.byteswap().tobytes().translate(MIRROR)) ^ 0xFFFFFFFF
        return int.from_bytes(value.to_bytes(4, "little").translate(MIRROR), "big")

    def sign(self) -> None:
        """Keep the CRC of the content."""
        self.record["crc"] = self.crc()

    def signed(self) -> bool:
        """Whether the CRC that is kept is that of the content."""
        return int(self.record["crc"]) == self.crc()

    def serialize(self, **_: object) -> bytes:
        """The stream; what a writer asks for."""
        return self._bytes.take(self.outward).tobytes()

    @classmethod
    def deserialize(cls, data: bytes, **_: object) -> Message:
        """The inverse of `serialize`; what a reader asks for. Raises `ValueError` on a stream of another size."""
        if not data[1] & 1 or len(data) < len(cls.outward):
            raise ValueError(f"{len(data)} bytes with encoding {data[:2].hex()} are no {cls.__name__}")
        message = cls()
        np.frombuffer(data, np.uint8).take(cls.inward, out=message._bytes[: cls.layout.itemsize], mode="clip")
        return message

    @classmethod
    def deserialize_key(cls, data: bytes, **_: object) -> Message:
        """An empty message: these topics have no keys. Asked for when a writer goes away."""
        return cls()


@functools.cache
def message_type(family: str, name: str) -> type[Message]:
    """The class for an IDL type of the SDK, e.g. ("unitree_go", "LowCmd_"), to make a `cyclonedds.topic.Topic` of."""
    idl = _load(f"unitree_sdk2py.idl.{family}.msg.dds_.{name}")
    layout = _layout(idl)
    outward, inward = list(range(layout.itemsize, layout.itemsize + len(HEAD))), np.zeros(layout.itemsize, np.intp)
    for place, size in _numbers(layout):
        outward += [layout.itemsize] * (-(len(outward) - len(HEAD)) % size)
        inward[place : place + size] = np.arange(len(outward), len(outward) + size)
        outward += range(place, place + size)
    parts = {"layout": layout, "outward": np.array(outward), "inward": inward, "__idl__": idl.__idl__}
    return type(name, (Message,), parts)


def _load(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _layout(kind: Any) -> np.dtype:
    """Of a field of an IDL type, padded as in C."""
    if isinstance(kind, str):
        kind = _load(kind)
    if hasattr(kind, "__metadata__"):
        (kind,) = kind.__metadata__
        if isinstance(kind, str):
            return np.dtype(kind)
        return np.dtype((_layout(kind.subtype), (kind.length,)))
    return np.dtype([(name, _layout(part)) for name, part in kind.__annotations__.items()], align=True)


def _numbers(layout: np.dtype, start: int = 0) -> Iterator[tuple[int, int]]:
    """Place and size of every number of a record, in order."""
    if layout.subdtype is not None:
        part, (length,) = layout.subdtype
        for number in range(length):
            yield from _numbers(part, start + number * part.itemsize)
    elif layout.fields is not None:
        for part, offset, *_ in layout.fields.values():
            yield from _numbers(part, start + offset)
    else:
        yield start, layout.itemsize
