"""Who drives: takeover, small steps, and a hand-back to a plan made afterwards; and what joystick and keyboard say."""

from __future__ import annotations

import os
import pty
import time

import numpy as np
import pytest

from burnish.errors import BurnishError
from burnish.real.intervention import LEASH_S, PLAN_S, Intervention
from burnish.real.joystick import AXIS, BUTTON, EVENT, INITIAL, Joystick, Keyboard, Wish
from tests.real.toys import LIMITS

SIZE = len(LIMITS.names)
PART = 0.1
SPEED = PART * np.array(LIMITS.velocity)
MIDDLE = (np.array(LIMITS.low) + np.array(LIMITS.high)) / 2


def wish(*, held=True, first=0.0):
    return Wish(held, np.array([first, *[0.0] * (SIZE - 1)]))


def driven(seconds, human, *, first=1.0, follow=True, start=MIDDLE, now=0.0):
    """The targets, at 50 Hz, of a robot that follows, or stands."""
    at, targets = start, []
    for k in range(round(seconds * 50)):
        human.commanded(at, now + k / 50)
        targets.append(human.tick(wish(first=first), now + k / 50))
        at = targets[-1] if follow else at
    return np.array(targets)


def test_a_human_drives_no_faster_than_told_and_within_the_limits():
    path = driven(2.0, Intervention(LIMITS, PART))
    assert np.allclose(np.diff(path[:, 0]) * 50, SPEED[0], rtol=1e-6) or path[-1, 0] == LIMITS.high[0]
    assert np.allclose(path[:, 1:], MIDDLE[1:])
    path = driven(200.0, Intervention(LIMITS, PART))
    assert path[-1, 0] == LIMITS.high[0]


def test_the_target_does_not_run_away_from_a_robot_that_stands():
    path = driven(3.0, Intervention(LIMITS, PART), follow=False)
    assert path[-1, 0] == pytest.approx(MIDDLE[0] + SPEED[0] * LEASH_S)


def test_handed_back_only_to_a_plan_made_after_the_release():
    human = Intervention(LIMITS, PART)
    human.observed(10)
    human.planned(8)
    last = driven(1.0, human)[-1]
    assert human.active
    human.observed(30)
    human.planned(25)
    held = human.tick(wish(held=False), 1.0)
    assert held is not None and np.array_equal(held, last), "the robot stands until the policy knows"
    human.planned(30)
    assert human.tick(wish(held=False), 1.1) is not None, "that plan is of the moment before"
    assert human.tick(wish(held=False), 1.2 + PLAN_S) is not None and "no plan" in human.fault
    human.planned(31)
    assert human.tick(wish(held=False), 4.0) is None and not human.active


def test_nobody_takes_over_a_robot_that_says_nothing():
    human = Intervention(LIMITS, PART)
    assert human.tick(wish(first=1.0), 1.0) is None
    assert "nobody can take over" in human.fault


def test_without_a_policy_the_release_is_the_end():
    human = Intervention(LIMITS, PART)
    driven(0.5, human)
    assert human.tick(wish(held=False), 0.6) is None


def test_a_joystick_speaks_the_kernels_protocol(tmp_path):
    path = tmp_path / "js0"
    os.mkfifo(path)
    stick = os.open(path, os.O_RDWR)
    joystick = Joystick(path, 3, deadman=5, axes=(1, -1, 0), buttons=(0, 2))
    assert joystick.poll() == Wish(False, pytest.approx([0, 0, 0]))
    events = [(BUTTON | INITIAL, 5, 1), (AXIS | INITIAL, 0, 32767), (AXIS, 1, -32767), (AXIS, 0, 500), (BUTTON, 2, 1)]
    data = b"".join(EVENT.pack(0, value, kind, number) for kind, number, value in events)
    os.write(stick, data[:13])  # a device may be read in the middle of an event
    joystick.poll()
    os.write(stick, data[13:])
    said = joystick.poll()
    assert said.held and said.axes.tolist() == [-1.0, 0.0, -1.0]
    os.close(stick)
    said = joystick.poll()
    assert not said.held and "gone" in said.fault
    joystick.close()
    with pytest.raises(BurnishError, match="is a joystick connected"):
        Joystick(tmp_path / "js1", 3, 5, ())


def test_a_key_counts_as_held_while_the_terminal_repeats_it():
    ours, theirs = pty.openpty()
    keyboard = Keyboard(theirs, 10)
    assert not keyboard.poll().held
    os.write(ours, b"qs")
    time.sleep(0.1)
    said = keyboard.poll()
    assert said.held and said.axes.tolist() == [1.0, -1.0, *[0.0] * 8]
    time.sleep(0.7)
    assert not keyboard.poll().held
    keyboard.close()
