"""The hand: measured at rest alone, one motion after the other, and as slow as the robot's."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.contract import STATE
from burnish.sim.base import make_env
from burnish.sim.franka.hand import Hands, resting

LANE, TICKS, TICK_S = np.array([0]), 25, 0.002


def played(wishes: list[float], stop: float = 0.0) -> tuple[list[float], list[float]]:
    """What is told after each action, and how wide the fingers are; something `stop` wide is between them."""
    hands = Hands(1, TICKS, TICK_S)
    hands.now[:, 0] = resting(0.08, TICK_S)
    width, told, wide = np.array([0.08]), [], []
    for wish in wishes:
        path = hands.follow(LANE, np.array([wish]), width)
        width = np.maximum(path[:, -1], stop)
        hands.look(LANE, width)
        told.append(float(hands.told(LANE)[0]))
        wide.append(float(width[0]))
    return told, wide


def test_the_fingers_move_at_their_speed():
    told, wide = played([0.04] * 12)
    assert np.allclose(wide[:3], [0.077, 0.072, 0.067])  # 20 ms until the wish counts, then 0.1 m/s
    assert np.allclose(told[2:9], wide[:7]) and told[9] == pytest.approx(0.04), "believed to be 0.1 s behind"


def test_what_is_between_them_ends_the_motion():
    told, _ = played([0.0] * 14, stop=0.04)
    assert told[8] == pytest.approx(0.047) and np.allclose(told[9:], 0.04)


def test_a_motion_that_began_is_finished_before_the_next():
    told, wide = played([0.04] * 2 + [0.08] * 20)
    assert min(wide) == pytest.approx(0.04) and wide[-1] == pytest.approx(0.08)
    assert 0.04 in np.round(told, 6) and told[-1] == pytest.approx(0.08)


def test_a_wish_that_hardly_differs_moves_nothing():
    assert played([0.077] * 5)[1] == [0.08] * 5


def test_an_episode_goes_on_bit_for_bit_while_the_fingers_move():
    with make_env("franka/lift", 1) as env:
        obs = env.reset([0])
        action = env_action(obs, 0.03)
        for _ in range(4):
            env.step(action)
        kept = env.state()
        first = [env.step(action).obs[STATE] for _ in range(12)]
        env.restore(kept)
        again = [env.step(action).obs[STATE] for _ in range(12)]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert first[0][0, 14] > 0.06 and first[-1][0, 14] < 0.05


def env_action(obs, width: float):
    action = obs[STATE][:, :8].clone()
    action[:, 7] = width
    return action
