"""`franka-tool`: a policy that commands poses of the tool moves the same robot, behind the same safety."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from burnish.contract import STATE, Contract
from burnish.datasets.convert.base import Frame, Options
from burnish.datasets.convert.convert import open_recording
from burnish.errors import ContractError
from burnish.real.control import make_robot
from tests.real.franka.conftest import CENTRE, RADIUS_M, RATE_HZ, Bench, Circle

pytestmark = pytest.mark.robots


@pytest.mark.parametrize("mode", ["ensemble", "realtime", "synchronous"])
def test_the_tool_goes_around(bench: Bench, mode: str) -> None:
    with bench.session(Circle(), mode, name="franka-tool") as session:
        bench.moving(session, 4.0)
        tools = []
        for _ in range(40):
            session.run(0.05)
            tools.append(session.row.state[:3].copy())
        assert session.row.phase == "playing", bench.said
        assert np.allclose(session.row.state[3:9], [1, 0, 0, 0, -1, 0], atol=0.05)
    away = np.array(tools) - CENTRE
    assert np.abs(np.hypot(away[:, 0], away[:, 1]) - RADIUS_M).max() < 0.02 and np.abs(away[:, 2]).max() < 0.02
    assert np.ptp(away, axis=0)[:2].max() > RADIUS_M
    assert bench.violations() == {}


def spoilt(change: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    def spoil(actions: np.ndarray) -> np.ndarray:
        actions = actions.copy()
        change(actions)
        return actions

    return spoil


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("finite", spoilt(lambda actions: actions.__setitem__((..., 1), np.nan))),
        ("jump", spoilt(lambda actions: actions.__setitem__((..., slice(3)), 1000 * actions[:, :3]))),
        ("jump", spoilt(lambda actions: actions.__setitem__((..., 1), actions[:, 1] + 0.5))),
        ("policy", spoilt(lambda actions: actions.__setitem__((..., slice(3, 9)), 0.0))),
        ("policy", lambda actions: actions[:, :8]),
    ],
    ids=["NaN", "millimetres", "half a metre", "no rotation", "eight numbers"],
)
def test_a_plan_that_cannot_be_meant(bench: Bench, rule: str, spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    plans = Circle()
    with bench.session(plans, name="franka-tool") as session:
        bench.moving(session)
        plans.spoil = spoil
        bench.held(session, rule)
        session.resume()
        bench.moving(session)


def test_a_plan_that_leads_out_of_the_workspace(bench: Bench) -> None:
    plans = Circle()
    with bench.session(plans, name="franka-tool") as session:
        bench.moving(session)
        plans.centre[2] = -0.2  # below the table
        bench.held(session, "workspace", seconds=6.0)


def test_a_recording_gives_back_what_a_policy_commands(bench: Bench) -> None:
    with bench.session(Circle(), name="franka-tool") as session:
        bench.moving(session, 3.0)
    reader = open_recording(bench.folder, Options())
    frames = [one for one in reader.frames() if isinstance(one, Frame)]
    assert reader.contract.action.names[:4] == ("tool_x", "tool_y", "tool_z", "tool_x_x")
    away = np.array([frame.action[:3] - frame.obs[STATE][:3] for frame in frames[20:]])
    assert len(away) > 20 and np.linalg.norm(away, axis=1).max() < 0.03


def test_a_policy_of_joints_does_not_fit() -> None:
    joints, tool = (make_robot(name, {}).spec for name in ("franka", "franka-tool"))
    slow = Contract({STATE: joints.state}, replace(joints.action, rate_hz=RATE_HZ))
    with pytest.raises(ContractError, match=r"action\.names: \('joint1'.*\('tool_x'"):
        tool.check(slow, here="checkpoint")
    quaternion = make_robot("franka-tool", {"rotation": "quaternion"}).spec
    own = Contract({STATE: quaternion.state}, replace(quaternion.action, rate_hz=RATE_HZ))
    quaternion.check(own, here="checkpoint")
