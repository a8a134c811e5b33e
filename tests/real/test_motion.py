"""Motion between actions: whatever is asked, no limit is passed, and it is smooth where the actions are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.real.motion import BEYOND, DirectMotion, SmoothMotion
from burnish.real.safety import moments
from tests.real.toys import LIMITS

PERIOD_S, CYCLES = 1e-3, 50
LOW, HIGH = np.array(LIMITS.low), np.array(LIMITS.high)


def play(motion: SmoothMotion, waypoints: np.ndarray, count: int | None = None) -> np.ndarray:
    """(T, 3 moments, A) of what the motion makes of the first `count` waypoints, each known with some that follow."""
    seen = []
    for number in range(count or len(waypoints)):
        following = waypoints[number : number + 4]
        motion.aim(moments(motion.now[0], following, CYCLES * PERIOD_S, CYCLES * PERIOD_S), CYCLES, CYCLES)
        seen += [np.stack(motion.step()) for _ in range(CYCLES)]
    return np.stack(seen)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 2.0))
def test_no_limit_is_passed_whatever_the_actions(seed: int, reach: float) -> None:
    rng = np.random.default_rng(seed)
    waypoints = np.clip(rng.normal(0, reach, (12, 3)), LOW, HIGH)
    motion = SmoothMotion(LIMITS, PERIOD_S)
    motion.start(np.clip(np.zeros(3), LOW, HIGH))
    seen = play(motion, waypoints)
    motion.brake()
    seen = np.concatenate([seen, [np.stack(motion.step()) for _ in range(800)]])
    position, velocity, acceleration = seen.transpose(1, 0, 2)
    assert (np.abs(velocity) <= np.array(LIMITS.velocity) * 1.001).all()
    assert (np.abs(acceleration) <= np.array(LIMITS.acceleration) * 1.001).all()
    assert (np.abs(np.diff(acceleration, axis=0)) / PERIOD_S <= np.array(LIMITS.jerk) * 1.01).all()
    np.testing.assert_allclose(np.diff(position, axis=0) / PERIOD_S, velocity[1:], atol=0.02)
    assert np.abs(velocity[-1]).max() < 1e-9


def test_what_was_foreseen_is_what_would_have_been_aimed_for() -> None:
    time_s = np.arange(1, 20) * CYCLES * PERIOD_S
    path = np.stack([0.3 * np.sin(2 * time_s), 0.1 * np.cos(3 * time_s), 0.05 + 0.02 * np.sin(time_s)], axis=1)
    paths = []
    for foresees in (False, True):
        motion, seen = SmoothMotion(LIMITS, PERIOD_S), []
        motion.start(path[0])
        for number in range(12):
            cycles, following = CYCLES - 3, path[number : number + 4]
            moment = next(moments(motion.soon(3), following, cycles * PERIOD_S, cycles * PERIOD_S))
            parts = motion.foresee(moment, cycles) if foresees else iter((None, None, None))
            for _ in parts:
                seen.append(motion.step())
            motion.aim(moments(motion.now[0], following, cycles * PERIOD_S, cycles * PERIOD_S), cycles, cycles)
            seen += [motion.step() for _ in range(cycles)]
        paths.append(np.array(seen))
    assert np.array_equal(*paths)


def test_actions_that_are_aimed_for_a_little_late_are_followed_as_smoothly() -> None:
    late, rate = 5, 2 * np.pi * 0.5
    time_s = np.arange(60) * CYCLES * PERIOD_S
    path = 0.1 * (1 - np.cos(rate * time_s))[:, None] * [1.0, 0.5, 0.3]
    motion, seen = SmoothMotion(LIMITS, PERIOD_S), []
    motion.start(path[0])
    for number in range(50):
        seen += [motion.step() for _ in range(late)]
        ahead = moments(motion.now[0], path[number + 1 : number + 5], (CYCLES - late) * PERIOD_S, CYCLES * PERIOD_S)
        motion.aim(ahead, CYCLES - late, CYCLES)
        seen += [motion.step() for _ in range(CYCLES - late)]
    acceleration = np.array(seen)[5 * CYCLES :, 2]
    assert np.abs(acceleration).max() < 1.05 * 0.1 * rate**2


def test_past_its_end_motion_keeps_its_acceleration_so_that_the_next_action_still_fits() -> None:
    time_s = np.arange(80) * CYCLES * PERIOD_S
    noise = 3e-4 * np.random.default_rng(0).standard_normal((80, 3)) * [1.0, 1.0, 0.1]
    path = 0.1 * (1 - np.cos(np.pi * time_s))[:, None] * [1.0, 0.5, 0.3] + noise
    motion, late, seen, fits = SmoothMotion(LIMITS, PERIOD_S), BEYOND - 2, [], []
    motion.start(path[0])
    for number in range(70):
        seen += [motion.step() for _ in range(late)]
        ahead = moments(motion.now[0], path[number + 1 : number + 5], (CYCLES - late) * PERIOD_S, CYCLES * PERIOD_S)
        fits.append(motion.aim(ahead, CYCLES - late, CYCLES))
        seen += [motion.step() for _ in range(CYCLES - late)]
    assert all(fits[5:])
    past = np.array(seen)[10 * CYCLES :, 2].reshape(-1, CYCLES, 3)[:, :late]
    assert (np.ptp(past, axis=1) < 1e-9).all() and (np.abs(past).max(axis=0) > 0.1).all()


def test_what_was_foreseen_is_not_followed_from_anywhere_else() -> None:
    motion = SmoothMotion(LIMITS, PERIOD_S)
    motion.start(np.array([0.0, 0.0, 0.05]))
    path = np.stack([np.arange(1, 20) * 0.02, np.zeros(19), np.full(19, 0.05)], axis=1)
    play(motion, path, count=3)
    for _ in motion.foresee(next(moments(motion.soon(3), path[3:], CYCLES * PERIOD_S, CYCLES * PERIOD_S)), CYCLES):
        motion.step()
    before = motion.step()  # one cycle was missed
    motion.aim(moments(motion.now[0], path[3:], CYCLES * PERIOD_S, CYCLES * PERIOD_S), CYCLES, CYCLES)
    assert np.abs(motion.step()[0] - before[0]).max() < 2 * 0.02 / CYCLES


def test_a_smooth_path_is_followed_closely() -> None:
    time_s = np.arange(1, 120) * CYCLES * PERIOD_S
    path = np.stack([0.3 * np.sin(2 * time_s), 0.1 * np.cos(3 * time_s), 0.05 + 0.02 * np.sin(time_s)], axis=1)
    motion = SmoothMotion(LIMITS, PERIOD_S)
    motion.start(path[0])
    seen = play(motion, path)[:, 0]
    when = (np.arange(len(seen)) + 1) * PERIOD_S
    wanted = np.stack([0.3 * np.sin(2 * when), 0.1 * np.cos(3 * when), 0.05 + 0.02 * np.sin(when)], axis=1)
    assert np.abs(seen - wanted)[500:-200].max() < 1e-3


def test_stopping_takes_no_longer_than_the_limits_need() -> None:
    motion = SmoothMotion(LIMITS, PERIOD_S)
    motion.start(np.array([0.0, 0.0, 0.05]))
    path = np.stack([np.arange(1, 20) * 0.02, np.zeros(19), np.full(19, 0.05)], axis=1)  # 0.4 rad/s
    play(motion, path, count=12)
    assert motion.now[1][0] == pytest.approx(0.4, abs=0.02)
    motion.brake()
    cycles = 0
    while np.abs(motion.step()[1]).max() > 1e-6:
        cycles += 1
    assert cycles <= (0.4 / LIMITS.acceleration[0] + LIMITS.acceleration[0] / LIMITS.jerk[0]) / PERIOD_S + 2


def test_without_a_next_action_it_comes_to_rest_by_itself() -> None:
    motion = SmoothMotion(LIMITS, PERIOD_S)
    motion.start(np.array([0.0, 0.0, 0.05]))
    play(motion, np.stack([np.arange(1, 20) * 0.02, np.zeros(19), np.full(19, 0.05)], axis=1))
    for _ in range(200):
        last = motion.step()
    assert np.abs(last[1]).max() < 1e-9 and last[0][0] < 0.45


def test_direct_motion_is_limited_in_speed_alone() -> None:
    motion = DirectMotion(LIMITS, PERIOD_S)
    motion.start(np.zeros(3))
    target = np.array([0.001, -0.5, 0.0])
    assert not motion.aim([(target, np.zeros(3), np.zeros(3))], CYCLES, CYCLES)
    first = motion.step()[0]
    np.testing.assert_allclose(first, [0.001, -0.001, 0.0])
    for _ in range(600):
        last = motion.step()[0]
    np.testing.assert_allclose(last, target)
