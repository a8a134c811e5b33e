"""The player: whatever the delays, the action played is the one planned for this moment, and none is played twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.errors import BurnishError
from burnish.real.player import Chunk, ChunkPlayer, PlayerConfig

LENGTH = 16


def plan(slot: int, number: int) -> Chunk:
    """Actions that tell of which moment and of which plan they are."""
    return Chunk(slot, np.stack([np.arange(slot, slot + LENGTH), np.full(LENGTH, number)], axis=1).astype(float))


def run(mode: str, delays: list[int], slots: int, execute: int = 8) -> tuple[list[np.ndarray | None], ChunkPlayer]:
    """Play `slots` moments; plan i arrives after `delays[i]` of them."""
    player, played, waiting, number = ChunkPlayer(PlayerConfig(mode=mode), execute), [], None, 0
    for _ in range(slots):
        if player.wants():
            waiting = (delays[number % len(delays)], plan(player.ask(), number))
            number += 1
        if waiting is not None and waiting[0] == 0:
            player.add(waiting[1])
            waiting = None
        due = player.next()
        played.append(None if due is None else due[0])
        if waiting is not None:
            waiting = (waiting[0] - 1, waiting[1])
    return played, player


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["synchronous", "realtime", "ensemble"]), st.lists(st.integers(0, 12), min_size=1, max_size=6))
def test_every_moment_is_played_once_and_in_order(mode: str, delays: list[int]) -> None:
    played, player = run(mode, delays, 120)
    moments = [action[0] for action in played if action is not None]
    np.testing.assert_allclose(moments, np.arange(len(moments)))
    assert player.slot == len(moments)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=6))
def test_realtime_never_pauses_while_plans_come_in_time(delays: list[int]) -> None:
    played, player = run("realtime", delays, 120, execute=4)
    begun = next(place for place, action in enumerate(played) if action is not None)
    assert all(action is not None for action in played[begun:])
    assert player.starved == 0


def test_synchronous_pauses_for_as_long_as_a_plan_takes() -> None:
    played, _ = run("synchronous", [3], 66, execute=8)
    assert sum(action is None for action in played) == 18  # 3 of every 11
    numbers = [action[1] for action in played if action is not None]
    assert [numbers.count(plan) for plan in range(5)] == [8] * 5


def test_a_late_plan_goes_on_where_the_robot_is_by_then() -> None:
    player = ChunkPlayer(PlayerConfig(mode="realtime"), 4)
    player.ask()
    player.add(plan(0, 0))
    for _ in range(4):
        player.next()
    assert player.wants() and player.ask() == 4
    for _ in range(5):
        player.next()
    assert player.add(plan(4, 1))
    np.testing.assert_allclose(player.next(3), [[9, 1], [10, 1], [11, 1]])
    assert player.delay == 5 and player.late == 5


def test_a_plan_that_is_over_is_refused_and_another_one_wanted() -> None:
    player = ChunkPlayer(PlayerConfig(mode="realtime"), 8)
    player.ask()
    player.add(plan(0, 0))
    for _ in range(8):
        player.next()
    player.ask()
    player.slot += LENGTH
    assert not player.add(plan(8, 1))
    assert player.wants()


def test_an_answer_to_an_earlier_question_is_refused() -> None:
    player = ChunkPlayer(PlayerConfig(), 8)
    player.ask()
    player.reset()
    assert not player.add(plan(0, 0))
    assert player.next() is None


def test_the_ensemble_averages_what_plans_say_of_the_same_moment() -> None:
    player = ChunkPlayer(PlayerConfig(mode="ensemble", decay=0.5), 8)
    for number in range(3):
        player.ask()
        player.add(plan(player.slot, number))
        action = player.next()[0]
    weights = np.exp(-0.5 * np.array([2, 1, 0]))
    np.testing.assert_allclose(action, [2, weights @ [0, 1, 2] / weights.sum()])


def test_a_gripper_is_not_averaged() -> None:
    player = ChunkPlayer(PlayerConfig(mode="ensemble"), 8, free=[1])
    for number in range(3):
        player.ask()
        player.add(plan(player.slot, number))
        action = player.next()[0]
    np.testing.assert_allclose(action, [2, 2])


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(BurnishError, match="execute must be at least 1 action, is 0"):
        PlayerConfig(execute=0)
