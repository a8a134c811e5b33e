"""Frames at the policy's rate: the nearest command, nothing seen after it, and clear ends."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.datasets.convert.base import End, Frame
from burnish.datasets.convert.steps import Steps


def play(commands, *, seen_hz=100.0, rate_hz=20.0, until=None):
    """(times of the observations, times of the actions, ends); values are the times."""
    steps, out = Steps(("x",), rate_hz, 0.5, 0.5), []
    seen = np.arange(0, until or max(commands) + 1, 1 / seen_hz)
    events = sorted([(t, 0) for t in seen] + [(t, 1) for t in commands])
    for t, kind in events:
        if kind == 0:
            steps.see("x", t, np.array([t]))
        else:
            out += list(steps.act(t, np.array([t]), False))
    out += list(steps.end("end"))
    frames = [one for one in out if isinstance(one, Frame)]
    ends = [one.reason for one in out if isinstance(one, End)]
    return np.array([f.obs["x"][0] for f in frames]), np.array([f.action[0] for f in frames]), ends


def test_one_command_a_step_is_one_frame_whatever_its_jitter():
    times = 1.0 + np.arange(40) / 20 + np.random.default_rng(0).uniform(-0.02, 0.02, 40)
    seen, acted, ends = play(times)
    assert np.array_equal(acted, times)
    assert np.all(seen <= acted)
    assert np.all(acted - seen < 0.0101)
    assert ends == ["end"]


def test_commands_at_a_kilohertz_are_taken_at_the_rate():
    _, acted, _ = play(1.0 + np.arange(1000) / 1000)
    assert len(acted) in (20, 21)
    assert np.allclose(np.diff(acted), 0.05, atol=2e-3)


def test_a_lost_command_is_held_and_a_pause_ends_the_episode():
    times = 1.0 + np.arange(40) / 20
    _, acted, ends = play(np.delete(times, 10))
    assert len(acted) == 40
    assert acted[10] in (times[9], times[11])
    _, acted, ends = play(np.concatenate([times, times + 5]))
    assert ends == ["pause", "end"]
    assert len(acted) == 80


@pytest.mark.parametrize("until", [1.5])
def test_an_observation_that_stops_ends_the_episode(until):
    seen, acted, ends = play(1.0 + np.arange(40) / 20, until=until)
    assert ends == ["stale"]
    assert np.all(acted - seen <= 0.5)
