"""What every registered robot says of itself, before anything is connected."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from burnish import registry
from burnish.contract import STATE, Contract
from burnish.errors import ContractError
from burnish.real.base import Robot
from burnish.real.control import make_robot
from burnish.real.safety import Safety


@pytest.fixture(params=registry.robots.names())
def robot(request: pytest.FixtureRequest) -> Robot:
    return make_robot(request.param, {})


def test_limits_and_contract_speak_of_the_same_entries(robot: Robot):
    spec = robot.spec
    assert spec.name in registry.robots.names() and spec.name in registry.simulated_robots.names()
    assert spec.limits.names == spec.contract.action.names and spec.limits.source
    assert spec.state.rate_hz == spec.action.rate_hz == spec.rate_hz
    assert dataclasses.fields(type(robot).Config)[0].name == "address"
    Safety(spec, body=robot.body, tank=robot.tank())


def test_a_policy_of_its_own_fits_and_another_does_not(robot: Robot):
    spec = robot.spec
    own = Contract({STATE: spec.state}, replace(spec.action, rate_hz=spec.rate_hz / 10, normalization="mean_std"))
    spec.check(own, here="checkpoint")
    turned = replace(own.action, names=own.action.names[::-1])
    with pytest.raises(ContractError, match=r"action\.names"):
        spec.check(replace(own, action=turned), here="checkpoint")
    with pytest.raises(ContractError, match=r"action\.rate_hz"):
        spec.check(replace(own, action=replace(own.action, rate_hz=2 * spec.rate_hz)), here="checkpoint")


def test_set_points_are_actions_and_back(robot: Robot):
    if robot.translator is None:
        assert robot.spec.action == robot.spec.contract.action
        return
    assert robot.spec.action == robot.translator.field
    limits = robot.spec.limits
    middle = (np.array(limits.low) + np.array(limits.high)) / 2
    actions = robot.translator.actions(middle[None])
    assert actions.shape == (1, *robot.spec.action.shape)
    found = robot.translator.setpoints(actions, middle, None, 0.05)
    assert found.shape == (1, len(middle))
    assert np.allclose(robot.translator.actions(found), actions, atol=1e-5)
