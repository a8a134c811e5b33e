"""What the control process says reaches its owner, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.real.mailbox import TEXT, Layout, Mailbox
from burnish.real.player import Chunk


@pytest.mark.parametrize(
    "message", ["joint1 too fast", "out of [0, 1] … [2, 3]", 'a "quoted" \\ path\n' * 30, "ü…" * 400]
)
def test_a_verdict_of_any_letters_and_length_can_be_read(tmp_path, message):
    layout = Layout(2, 3)
    owner, control = Mailbox(tmp_path / "box", layout, create=True), Mailbox(tmp_path / "box", layout)
    assert owner.why() == {}
    control.tell("velocity", message)
    why = owner.why()
    assert why["rule"] == "velocity" and message.startswith(why["message"])
    assert len(why["message"].encode()) >= min(len(message.encode()), TEXT - 20)


def test_a_chunk_arrives_once_and_whole_or_not_at_all(tmp_path):
    layout = Layout(2, 3)
    owner, control = Mailbox(tmp_path / "box", layout, create=True), Mailbox(tmp_path / "box", layout)
    assert control.receive() is None
    first, second = (Chunk(slot, np.random.default_rng(slot).normal(size=(5, 3))) for slot in (7, 8))
    owner.send(first)
    found = control.receive()
    assert found is not None and found.slot == 7 and np.array_equal(found.actions, first.actions)
    assert control.receive() is None
    owner.send(second)
    owner._in["actions"][0, 2, 1] = 0.0  # as if this were seen before what was written there
    assert control.receive() is None
    owner._in["actions"][0, 2, 1] = second.actions[2, 1]
    found = control.receive()
    assert found is not None and np.array_equal(found.actions, second.actions)


def test_no_order_is_lost_because_another_one_came_too(tmp_path):
    layout = Layout(2, 3)
    owner, control = Mailbox(tmp_path / "box", layout, create=True), Mailbox(tmp_path / "box", layout)
    for order in ("play", "halt", "resume"):
        owner.order(order)
    assert [control.obey() for _ in range(4)] == ["play", "halt", "resume", "none"]
