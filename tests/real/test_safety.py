"""Safety: each rule halts with its name and values, within one cycle, and nothing passes a limit meanwhile."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import numpy as np
import pytest

from burnish.errors import BurnishError, ContractError
from burnish.real.energy import EnergyTank
from burnish.real.safety import Safety, SafetyConfig
from tests.real.toys import LIMITS, NAMES, spec, state

HERE = np.array([0.1, 0.2, 0.05])
FIRST = np.array([1.0, 0.0, 0.0])
CYCLES = 50


class Box:
    """A body whose tool is where its setpoint is, and whose parts are as far apart as its second number says."""

    def tool(self, setpoint: np.ndarray) -> np.ndarray:
        return setpoint

    def clearances(self, setpoint: np.ndarray) -> Iterator[float]:
        yield 0.5 - abs(float(setpoint[1]))


def started(**settings: object) -> Safety:
    safety = Safety(settings.pop("spec", spec()), **settings)
    safety.start(state(0.0, HERE))
    return safety


def after(safety: Safety, actions: np.ndarray, cycles: int = 10, **changes: object) -> Safety:
    safety.want(state(0.0, HERE), np.atleast_2d(actions), CYCLES)
    for cycle in range(cycles):
        safety.step(state(cycle * 1e-3, HERE, **changes))
    return safety


@pytest.mark.parametrize(
    ("rule", "message", "action"),
    [
        ("finite", "second is nan", [0.1, np.nan, 0.05]),
        ("finite", "first is inf", [np.inf, 0.2, 0.05]),
        ("dimension", r"actions of \(2,\) numbers for 3: first, second, third", [0.1, 0.2]),
        ("jump", r"first is asked from 0.100 to 0.600 rad at once \(at most 0.3\)", [0.6, 0.2, 0.05]),
        ("jump", "wrong unit, other order of joints", np.degrees(HERE)),
    ],
)
def test_what_cannot_be_meant_halts(rule: str, message: str, action: object) -> None:
    safety = after(started(), np.array(action))
    assert safety.verdict is not None and safety.verdict.rule == rule
    assert re.search(message, safety.verdict.message)
    np.testing.assert_allclose(safety.step(state(0.02, HERE)).values, HERE)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("robot", {"fault": "joint reflex"}),
        ("state", {"values": np.full(3, np.nan)}),
        ("torque", {"effort": np.array([10.0, 21.0, np.nan])}),
    ],
)
def test_what_is_wrong_with_the_robot_halts(rule: str, changes: dict[str, object]) -> None:
    safety = after(started(), HERE, **changes)
    assert safety.verdict is not None and safety.verdict.rule == rule


def test_one_cycle_of_torque_is_noise() -> None:
    safety = started()
    for cycle in range(20):
        effort = np.array([60.0 if cycle % 4 == 0 else 1.0, 0.0, 0.0])
        safety.step(state(cycle * 1e-3, HERE, effort=effort))
    assert safety.verdict is None


def test_silence_halts_only_while_actions_are_due() -> None:
    safety = started()
    for cycle in range(1000):
        safety.step(state(cycle * 1e-3, HERE))
    assert safety.verdict is None
    for cycle in range(1000, 1300):
        safety.step(state(cycle * 1e-3, HERE), silence_s=0.2)
    assert safety.verdict is not None and safety.verdict.rule == "silence"
    assert safety.verdict.time_s == pytest.approx(1.2, abs=0.01)


def test_a_pose_outside_the_workspace_or_too_close_halts() -> None:
    limits = dataclasses.replace(LIMITS, workspace=((-1.0, -1.0, 0.0), (0.25, 1.0, 1.0)), clearance=0.1)
    for action, rule in (([0.3, 0.2, 0.05], "workspace"), ([0.1, 0.45, 0.05], "clearance")):
        safety = after(started(spec=spec(limits), body=Box()), np.array(action))
        assert safety.verdict is not None and safety.verdict.rule == rule
    narrower = SafetyConfig(workspace=((-1.0, -1.0, 0.0), (0.15, 1.0, 1.0)))
    safety = after(started(spec=spec(limits), body=Box(), config=narrower), np.array([0.2, 0.2, 0.05]))
    assert safety.verdict is not None and safety.verdict.rule == "workspace"
    with pytest.raises(BurnishError, match="need its shape"):
        Safety(spec(limits))


def test_a_little_outside_is_limited_and_counted() -> None:
    safety = started()
    safety.start(state(0.0, np.array([1.9, 0.2, 0.05])))
    beyond = np.array([[2.1, 0.2, 0.05]])
    for _ in range(20):
        safety.want(state(0.0, HERE), beyond, CYCLES)
        for _ in range(CYCLES):
            reached = safety.step(state(0.0, HERE)).values
    assert safety.verdict is None and reached[0] <= 2.0 + 1e-9
    assert safety.limited["position"] == 20


def test_pushing_empties_the_tank_and_moving_freely_does_not() -> None:
    tank = EnergyTank((1000.0, 1000.0, 1000.0), (5.0, 5.0, 5.0), 2.0)
    safety = started(tank=tank)
    where, time_s = HERE.copy(), 0.0
    for number in range(100):  # freely: the robot follows
        time_s += CYCLES * 1e-3
        goal = HERE + 0.2 * np.sin(number * 0.1) * FIRST
        safety.want(state(time_s, where), goal[None], CYCLES)
        for _ in range(CYCLES):
            where = safety.step(state(time_s, where)).values
    assert safety.verdict is None and tank.level_j > 1.5
    stands = where.copy()
    for number in range(20):  # against a wall: it stays
        time_s += CYCLES * 1e-3
        safety.want(state(time_s, stands), (stands + 0.02 * number * FIRST)[None], CYCLES)
        for _ in range(CYCLES):
            safety.step(state(time_s, stands))
    assert safety.verdict is not None and safety.verdict.rule == "energy"


def test_the_first_verdict_stays_until_it_starts_anew() -> None:
    safety = after(started(), np.array([np.nan, 0, 0]))
    safety.halt("operator", "stopped", 1.0)
    assert safety.verdict is not None and safety.verdict.rule == "finite"
    assert safety.step(state(1.0, HERE)).halted
    safety.start(state(1.0, HERE))
    assert safety.verdict is None and not safety.step(state(1.0, HERE)).halted


def test_a_policy_that_does_not_fit_is_refused_by_field() -> None:
    fits = spec().contract
    spec().check(fits, here="policy")
    action = dataclasses.replace(fits.action, unit=("deg",) * 3)
    with pytest.raises(ContractError, match=r"action.unit: \('deg', 'deg', 'deg'\) in the policy, \('rad'"):
        spec().check(dataclasses.replace(fits, action=action), here="policy")
    swapped = dataclasses.replace(fits.action, names=NAMES[::-1])
    with pytest.raises(ContractError, match=r"action\.names"):
        spec().check(dataclasses.replace(fits, action=swapped), here="policy")
    quick = dataclasses.replace(fits.action, rate_hz=2000.0)
    with pytest.raises(ContractError, match=r"action\.rate_hz: 2000 in the policy, robot toy: at most 1000"):
        spec().check(dataclasses.replace(fits, action=quick), here="policy")


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BurnishError, match=r"limits\.velocity has 2 entries for 3 names"):
        dataclasses.replace(LIMITS, velocity=(1.0, 2.0))
    with pytest.raises(BurnishError, match=r"limits\.jerk must be positive"):
        dataclasses.replace(LIMITS, jerk=(1.0, 0.0, 1.0))
    with pytest.raises(BurnishError, match=r"share must be above 0 and at most 1, is 1\.5"):
        SafetyConfig(share=1.5)


def test_missed_cycles_are_made_up_for() -> None:
    path = np.stack([HERE + 0.002 * k * FIRST for k in range(1, 7)])
    one, other = started(), started()
    for safety in (one, other):
        safety.want(state(0.0, HERE), path, CYCLES)
    for cycle in range(40):
        last = one.step(state(cycle * 1e-3, HERE))
    for _ in range(4):
        other.step(state(0, HERE))
    for cycle in range(9):
        late = other.step(state((cycle + 1) * 4e-3, HERE), cycles=4)
    np.testing.assert_allclose(late.values, last.values, atol=2e-4)


@pytest.mark.parametrize("cycles", [100, 200])
def test_a_joint_at_the_end_of_its_range_is_inside_of_it_to_the_last_bit(cycles: int):
    low, high = np.array(LIMITS.low), np.array(LIMITS.high)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        safety, here = Safety(spec()), np.clip(high - rng.uniform(-0.02, 0.1, 3), low, high)
        safety.start(state(0.0, here))
        for cycle in range(3 * cycles):
            if cycle % cycles == 0:
                wishes = high + rng.uniform(-0.02, 0.02, (4, 3))  # where a robot would stop by itself
                safety.want(state(cycle / 1000, here), wishes, cycles)
            here = safety.step(state(cycle / 1000, here)).values
            assert (here >= low).all() and (here <= high).all(), (seed, cycle, here - high)
