"""Plans become set points where they are made: what a policy says in poses goes on from what it said before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from burnish.contract import TASK, Contract
from burnish.errors import BurnishError
from burnish.fr3 import DOWN
from burnish.real.asking import Asking
from burnish.real.control import make_robot
from burnish.real.mailbox import Layout, Row
from burnish.real.player import Chunk

ROBOT, RATE_HZ, LENGTH = make_robot("franka-tool", {}), 20.0, 8
HOME = np.append(DOWN, 0.05)
LAYOUT = Layout(10, 8)


def poses(joints: np.ndarray) -> np.ndarray:
    assert ROBOT.translator is not None
    return ROBOT.translator.actions(joints)


class Forward:
    """The tool goes on by 1 cm per action, from where it was told to be; keeps what it was asked."""

    contract, realtime = None, True

    def __init__(self) -> None:
        self.previous: np.ndarray | None = None
        self.width = 10

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None = None, frozen: int = 0) -> np.ndarray:
        self.previous = previous
        first = poses(HOME[None])[0] if previous is None else previous[0] - 0.01 * np.eye(10)[0]
        return (first + np.outer(np.arange(1, LENGTH + 1), 0.01 * np.eye(10)[0]))[:, : self.width]

    def renew(self) -> None:
        """Always ready."""


def row(asked: int, setpoint: np.ndarray) -> Row:
    numbers = np.zeros(LAYOUT.width)
    numbers[LAYOUT.columns.index("asked")] = asked
    numbers[LAYOUT.columns.index("phase")] = 2
    body = len(LAYOUT.columns)
    numbers[body : body + 10] = poses(setpoint[None])[0]
    numbers[body + 10 + 2 * 8 : body + 10 + 3 * 8] = setpoint
    return Row(LAYOUT, numbers)


def answer(asking: Asking, slot: int, setpoint: np.ndarray) -> Chunk:
    asking.ask(row(slot, setpoint))
    end = time.monotonic() + 10
    while (chunk := asking.answer()) is None:
        assert time.monotonic() < end
        time.sleep(0.001)
    return chunk


def test_the_next_chunk_goes_on_where_the_last_one_led():
    plans = Forward()
    asking = Asking(plans, {}, ROBOT, RATE_HZ, realtime=True)
    first = answer(asking, 0, HOME)
    assert first.actions.shape == (LENGTH, 8)
    assert np.allclose(poses(first.actions)[:, 0], poses(HOME[None])[0, 0] + 0.01 * np.arange(1, LENGTH + 1), atol=1e-6)
    behind = first.actions[2]  # the arm is not where it will be
    second = answer(asking, 4, behind)
    assert plans.previous is not None and plans.previous.shape == (LENGTH - 4, 10)
    assert np.allclose(second.actions[: LENGTH - 4], first.actions[4:], atol=1e-9)
    asking.forget()
    third = answer(asking, 9, HOME)
    assert plans.previous is None and np.abs(third.actions[0] - HOME).max() < 0.1
    asking.close()


def test_what_is_no_pose_is_refused():
    plans = Forward()
    asking = Asking(plans, {}, ROBOT, RATE_HZ, realtime=False)
    plans.width = 8
    with pytest.raises(BurnishError, match=r"the shape \(8, 8\), expected \(1 … 256, 10\)"):
        answer(asking, 0, HOME)
    asking.close()


def test_a_policy_that_reads_no_state_is_told_none():
    class Told(Forward):
        contract = Contract({TASK: replace(ROBOT.spec.state, dtype="uint8")}, ROBOT.spec.action)
        seen: frozenset[str] = frozenset()

        def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None = None, frozen: int = 0):
            self.seen = frozenset(obs)
            return super().plan(obs, previous, frozen)

    plans = Told()
    asking = Asking(plans, {TASK: lambda: np.zeros(10, np.uint8)}, ROBOT, RATE_HZ, realtime=False)
    answer(asking, 0, HOME)
    assert plans.seen == {TASK}
    asking.close()
