"""What the control process says reaches its owner, whatever it is."""

from __future__ import annotations

import pytest

from burnish.real.mailbox import TEXT, Layout, Mailbox


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
