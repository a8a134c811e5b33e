"""What a LowState means."""

import numpy as np
import pytest

from burnish.real.unitree.senses import L2_B, SILENT, Senses, gravity
from burnish.real.unitree.wire import message_type
from burnish.unitree import G1, GO2


@pytest.fixture(params=[GO2, G1], ids=lambda model: model.name)
def model(request):
    return request.param


def well(model):
    record = message_type(model.family, "LowState_")().record
    record["imu_state"]["quaternion"] = (1, 0, 0, 0)
    record["motor_state"]["temperature"] = 40
    record["motor_state"]["mode"] = 1
    return record


def test_gravity_is_down_in_the_bodys_frame():
    np.testing.assert_allclose(gravity(np.array([1.0, 0, 0, 0])), (0, 0, -1))
    quarter = np.sqrt(0.5)
    np.testing.assert_allclose(gravity(np.array([quarter, quarter, 0, 0])), (0, -1, 0), atol=1e-6)  # on its right side
    np.testing.assert_allclose(gravity(np.array([quarter, 0, quarter, 0])), (1, 0, 0), atol=1e-6)  # nose down


def test_values_are_in_the_order_of_the_contract(model):
    record, size = well(model), len(model.joints)
    record["imu_state"]["gyroscope"] = (1, 2, 3)
    record["motor_state"]["q"][:size] = np.arange(size)
    record["motor_state"]["dq"][:size] = -np.arange(size)
    values = Senses(model).values(record)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values[:6], (0, 0, -1, 1, 2, 3))
    np.testing.assert_allclose(values[6 : 6 + size], np.arange(size))
    np.testing.assert_allclose(values[6 + size :], -np.arange(size))


def test_a_robot_that_is_well_has_no_fault(model):
    assert Senses(model).fault(well(model), commanded=True) == ""


@pytest.mark.parametrize(("keys", "stops"), [(L2_B, True), (L2_B | 1, True), (0x0020, False), (0x0200, False)])
def test_both_keys_of_the_remote_stop(model, keys, stops):
    record = well(model)
    record["wireless_remote"][2:4] = keys & 0xFF, keys >> 8
    assert (Senses(model).fault(record, commanded=True) == "operator stop (L2+B)") is stops


def test_heat_and_falls_are_faults(model):
    record = well(model)
    record["motor_state"]["temperature"][4] = 99
    assert f"motor {model.joints[4]} is at 99 °C" in Senses(model).fault(record, commanded=True)
    record = well(model)
    record["imu_state"]["quaternion"] = (np.cos(0.6), np.sin(0.6), 0, 0)
    assert "tilted by 1.20 rad" in Senses(model).fault(record, commanded=True)


def test_the_motors_of_a_g1_say_what_they_have():
    record = well(G1)
    record["motor_state"]["motorstate"][3] = 0x201
    fault = Senses(G1).fault(record, commanded=True)
    assert "left_knee_joint" in fault
    assert "overcurrent, winding too hot" in fault


def test_a_motor_may_miss_commands_until_there_are_some():
    record = well(G1)
    record["motor_state"]["motorstate"] = SILENT
    assert Senses(G1).fault(record, commanded=False) == ""
    assert "misses commands" in Senses(G1).fault(record, commanded=True)
    record = well(GO2)
    record["motor_state"]["mode"] = 0
    assert Senses(GO2).fault(record, commanded=False) == ""
    assert "left its control mode" in Senses(GO2).fault(record, commanded=True)
