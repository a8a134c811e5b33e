"""The tables against the robots' MJCF, as far as the two are the same document."""

import numpy as np
import pytest

from burnish.real.unitree.body import Body
from burnish.real.unitree.driver import robot_spec
from burnish.unitree import G1, GO2


@pytest.mark.parametrize("model", [GO2, G1], ids=lambda model: model.name)
def test_joints_have_the_ranges_of_the_mjcf(model):
    body = Body(model, model.path[-1])
    ranges = np.array([body.physics.joint(int(body.physics.dof_jntid[dof])).range for dof in body._v])
    np.testing.assert_allclose(ranges[:, 0], model.limits.low, atol=1e-3)
    np.testing.assert_allclose(ranges[:, 1], model.limits.high, atol=1e-3)


@pytest.mark.parametrize("model", [GO2, G1], ids=lambda model: model.name)
def test_no_jump_asks_for_more_than_full_torque(model):
    torque = np.array(model.limits.jump) * model.policy.kp
    assert (torque <= np.array(model.limits.torque) + 1e-9).all()


@pytest.mark.parametrize("model", [GO2, G1], ids=lambda model: model.name)
def test_poses_are_within_the_limits(model):
    for pose in (*model.path, *([model.rest] if model.rest else [])):
        assert (np.array(pose) >= model.limits.low).all()
        assert (np.array(pose) <= model.limits.high).all()


def test_the_contract_names_what_is_observed():
    spec = robot_spec(GO2)
    field = spec.contract.observation["observation.state"]
    assert field.names[:7] == (
        "gravity_x", "gravity_y", "gravity_z", "angular_velocity_x", "angular_velocity_y", "angular_velocity_z",
        "FR_hip_joint",
    )  # fmt: skip
    assert field.shape == (30,)
    assert spec.contract.action.names[0] == "FR_hip_joint"
    assert spec.contract.action.shape == (12,)
    assert not spec.smooth
    assert robot_spec(G1).contract.action.shape == (29,)


def test_a_strap_that_is_off_pulls_at_nothing():
    body = Body(G1, G1.path[-1])
    assert body.strapped and body.data.xfrc_applied.any()
    body.unstrap()
    assert not body.strapped and not body.data.xfrc_applied.any()
