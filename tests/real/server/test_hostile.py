"""Messages that are broken, or meant to break: each is refused by name, and the next good one is answered rightly."""

from __future__ import annotations

import re
import socket

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from burnish.contract import STATE
from burnish.real.server import wire

GOOD = wire.pack({STATE: np.linspace(-1, 1, 6, dtype=np.float32), "burnish/seed": 3})
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def packed(**changes) -> bytes:
    """A request whose one array is declared otherwise than it is."""
    array = {"__ndarray__": True, "data": bytes(24), "dtype": "<f4", "shape": [6]} | changes
    return msgpack.packb({STATE: {key.encode(): value for key, value in array.items()}})


def nested(depth: int) -> bytes:
    return b"\x81\xa1x" * depth + b"\x01"


REFUSED = {
    "nothing": (b"", r"0 bytes that are not a msgpack message"),
    "truncated": (GOOD[:-3], "not a msgpack message"),
    "two at once": (GOOD + GOOD, "extra data"),
    "a list": (msgpack.packb([1, 2]), "the message is of the type list, expected a map"),
    "a number": (b"\x07", "the message is of the type int, expected a map"),
    "deep": (nested(900), "unknown observation of this policy 'x'"),
    "too deep": (nested(5000), "nested too deeply"),
    "a long list": (b"\xdd\x00\x01\x00\x00" + bytes(1 << 16), "exceeds max_array_len"),
    "lists of lists": (b"\xdc\x04\x00" + (b"\xdc\x00\x80" + bytes(128)) * 1024, "more than 65536 entries"),
    "keys that are numbers": (b"\x81\x01\x02", "int is not allowed for map key"),
    "keys that are bytes": (msgpack.packb({b"x": 1}), "unknown observation of this policy \"b'x'\""),
    "a key that is no text": (b"\x81\xa1\xff\x01", "can't decode byte 0xff"),
    "a long key": (msgpack.packb({"x" * 400_000: 1}), "unknown observation of this policy 'x{100}'"),
    "no state": (b"\x80", "state: missing; the policy reads"),
    "a text": (msgpack.packb({STATE: "x"}), "state: str of 1, expected a numpy array"),
    "a list of numbers": (msgpack.packb({STATE: [0.0] * 6}), "state: list of 6, expected a numpy array"),
    "a map": (msgpack.packb({STATE: {"x": 1}}), "state: dict of 1, expected a numpy array"),
    "nil": (msgpack.packb({STATE: None}), "state: nothing, expected a numpy array"),
    "objects": (packed(dtype="|O"), r"state: the array's dtype is '\|O', expected a number"),
    "void": (packed(dtype="|V24"), r"state: the array's dtype is '\|V24'"),
    "texts": (packed(dtype="<U6"), "state: the array's dtype is '<U6'"),
    "a record": (packed(dtype=[["a", "<f4"]]), "state: the array's dtype is list of 1"),
    "subarrays": (packed(dtype="(999999,999999)f4"), r"state: the array's dtype is '\(999999,999999\)f4'"),
    "complex": (packed(dtype="<c8"), "state: the array's dtype is '<c8'"),
    "a float of one byte": (packed(dtype="<f1"), "state: the array's dtype is '<f1', which numpy does not have"),
    "a dtype of bytes": (packed(dtype=b"<f4"), "state: the array's dtype is bytes of 3"),
    "a huge shape": (packed(shape=[2**40, 2**40]), "state: .* numbers of float32 are .* bytes, but 24 bytes came"),
    "a huge empty shape": (packed(shape=[0, 2**62, 2**62], data=b""), "state: an array of the shape"),
    "a negative shape": (packed(shape=[-6]), r"state: the array's shape is \[-6\]"),
    "a shape of truths": (packed(shape=[True] * 6), "state: the array's shape is"),
    "many dimensions": (packed(shape=[1] * 60), "state: the array's shape is list of 60"),
    "no shape": (packed(shape=None), "state: the array's shape is nothing"),
    "too few bytes": (packed(data=bytes(20)), r"\[6\] numbers of float32 are 24 bytes, but 20 bytes came"),
    "data that is text": (packed(data="x" * 24), "state: the array's data is str of 24, expected bytes"),
    "another shape": (packed(shape=[2, 3]), r"state: the shape \(2, 3\), expected \(6,\)"),
    "a batch": (packed(shape=[1, 6]), "send one observation, without a batch dimension"),
    "nan": (packed(data=np.float32([0, 0, np.nan, 0, 0, 0]).tobytes()), r"state\[2\]: nan, expected a finite float32"),
    "too large": (packed(dtype="<f8", data=np.full(6, 1e300).tobytes()), r"state\[0\]: 1e\+300, expected a finite"),
    "truths": (packed(dtype="|b1", data=bytes(6)), "state: the dtype bool, expected float32"),
    "one too many": (msgpack.packb({STATE: 0, "observation.stat": 0}), "did you mean 'observation.state'"),
    "a stranger's seed": (wire.pack({STATE: np.zeros(6), "burnish/seed": 1.5}), "burnish/seed: 1.5, expected a whole"),
    "frozen alone": (wire.pack({STATE: np.zeros(6), "burnish/frozen": 1}), "burnish/frozen: without burnish/previous"),
    "a chunk under way": (
        wire.pack({STATE: np.zeros(6), "burnish/previous": np.zeros((2, 4))}),
        "burnish/previous: policy 'meanflow' does not know real-time chunking",
    ),
    "another chunk": (
        wire.pack({STATE: np.zeros(6), "burnish/previous": np.zeros((9, 4))}),
        r"burnish/previous: the shape \(9, 4\), expected \(1 to 8, 4\)",
    ),
}


@pytest.fixture(scope="module")
def connection(address):
    with connect(f"ws://{address}", proxy=None, compression=None) as opened:
        opened.recv(10)
        yield opened


@pytest.fixture(scope="module")
def right(connection):
    return actions(connection)


def ask(connection: ClientConnection, message: bytes | str) -> bytes | str:
    connection.send(message)
    return connection.recv(10)


def actions(connection: ClientConnection) -> np.ndarray:
    answer = ask(connection, GOOD)
    assert isinstance(answer, bytes), answer
    return wire.array(wire.unpack(answer)["actions"], "actions")


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_name_and_the_connection_goes_on(connection, right, case):
    message, why = REFUSED[case]
    answer = ask(connection, message)
    assert isinstance(answer, str)
    assert re.search(why, answer), answer
    assert len(answer) < 2100
    assert np.array_equal(actions(connection), right)


def test_a_text_frame_is_refused(connection, right):
    assert "text frame of 5 characters" in str(ask(connection, "hello"))
    assert np.array_equal(actions(connection), right)


@FUZZ
@given(st.binary(max_size=200))
def test_random_bytes(connection, right, message):
    assert isinstance(ask(connection, message), str)
    assert np.array_equal(actions(connection), right)


@FUZZ
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_good_message_with_some_bytes_changed(connection, right, changes):
    message = bytearray(GOOD)
    for place, byte in changes:
        message[place] = byte
    answer = ask(connection, bytes(message))
    if isinstance(answer, bytes):  # still a good one, with another number in it
        assert np.isfinite(wire.array(wire.unpack(answer)["actions"], "actions")).all()
    assert np.array_equal(actions(connection), right)


VALUES = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.floats(), st.integers(-(2**63), 2**64 - 1)),
        *(st.text(max_size=5), st.binary(max_size=9)),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
DECLARED = st.fixed_dictionaries(
    {b"__ndarray__": VALUES},
    optional={
        b"data": VALUES | st.just(bytes(24)),
        b"dtype": VALUES | st.sampled_from(["<f4", "|O", "<f8", "|u1", "<M8[s]", "|S4"]),
        b"shape": VALUES | st.lists(st.integers(-3, 2**64 - 1), max_size=4),
    },
)
KEYS = st.sampled_from([STATE, "burnish/seed", "burnish/previous", "burnish/frozen"]) | st.text(max_size=4)


@FUZZ
@given(st.dictionaries(KEYS, VALUES | DECLARED, max_size=4))
def test_well_formed_messages_of_anything(connection, right, message):
    assert isinstance(ask(connection, msgpack.packb(message)), str)
    assert np.array_equal(actions(connection), right)


def test_broken_frames_end_their_own_connection_only(address, connection, right):
    for junk in (b"\xff" * 100, b"\x82\xff" + b"\xff" * 8 + bytes(4), b"\x82\xfe\x40\x00abcd" + bytes(100)):
        host, port = address.split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n\r\n"
            )
            assert raw.recv(1000).startswith(b"HTTP/1.1 101")
            raw.sendall(junk)
        assert np.array_equal(actions(connection), right)


def test_a_client_that_never_reads_holds_up_nobody(serving, written):
    planner = written(lambda _: 1)
    planner.horizon = 100_000  # 1.6 MB per answer: more than fits between the two
    with serving(planner) as address:
        options = {"proxy": None, "compression": None, "max_size": None, "max_queue": 1, "close_timeout": 0.2}
        with connect(f"ws://{address}", **options) as slow, connect(f"ws://{address}", **options) as good:
            good.recv(10)
            for _ in range(30):
                slow.send(GOOD)
            assert actions(good).shape == (100_000, 4)


@given(
    st.sampled_from(["<f4", ">f8", "|u1", "<i8", "|b1", "<f2"]),
    st.lists(st.integers(0, 4), max_size=4),
)
def test_arrays_go_through_the_wire_as_they_are(dtype, shape):
    array = (np.arange(np.prod(shape, dtype=int)) % 2).astype(dtype).reshape(shape)
    back = wire.array(wire.unpack(wire.pack({"x": array}))["x"], "x")
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
