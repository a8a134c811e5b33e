"""The operator's keys, typed on a terminal."""

from __future__ import annotations

import os
import sys

import pytest

from burnish.real.operator import Operator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")


class Session:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str):
        return lambda *_: self.told.append(name)


@pytest.fixture
def terminal(monkeypatch):
    import pty

    keyboard, handle = pty.openpty()
    with os.fdopen(handle) as screen:
        monkeypatch.setattr(sys, "stdin", screen)
        yield keyboard


@pytest.mark.parametrize(
    ("keys", "told", "ends"),
    [("\n", ["halt"], False), ("r", ["resume", "play"], False), ("x\n", ["halt"], False), ("r\n", ["halt"], False),
     ("\nq", ["halt"], True), ("x", [], False)],
)  # fmt: skip
def test_no_key_waits_for_another_one_and_a_halt_goes_before_all(terminal, keys, told, ends):
    session = Session()
    with Operator(session) as operator:  # pyright: ignore[reportArgumentType]
        assert not operator.done() and not session.told
        os.write(terminal, keys.encode())
        assert operator.done() == ends
        assert session.told == told
        assert operator.done() == ends


def test_a_terminal_that_is_gone_ends_it(terminal):
    with Operator(Session()) as operator:  # pyright: ignore[reportArgumentType]
        os.close(terminal)
        assert operator.done()
