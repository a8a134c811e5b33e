"""What the driver refuses, and what it promises."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from burnish.contract import STATE, Contract, Field
from burnish.errors import BurnishError, ContractError
from burnish.quadrotor import LIMITS
from burnish.real.base import RobotError, load_robot
from burnish.real.quadrotor.config import QuadrotorConfig
from burnish.real.quadrotor.driver import QuadrotorDriver
from burnish.real.quadrotor.limits import spec
from burnish.real.simulated import SimulatedProcess
from tests.real.quadrotor.conftest import Trip


def driver(address: str, **settings) -> QuadrotorDriver:
    return QuadrotorDriver(QuadrotorConfig(address, **settings))


def test_it_is_found_by_name():
    assert load_robot("quadrotor") is QuadrotorDriver


@pytest.mark.parametrize("mode", LIMITS)
def test_the_contract_names_what_the_limits_limit(mode):
    found = spec(mode)
    assert found.contract.action.names == found.limits.names
    assert found.contract.observation[STATE].shape == (18,)
    assert not found.smooth


def test_a_policy_for_another_mode_is_refused_by_name():
    rates = spec("rates").contract
    with pytest.raises(ContractError, match="roll_rate"):
        spec("attitude").check(rates, here="checkpoint x")
    degrees = Contract(rates.observation, Field((4,), LIMITS["rates"].names, ("deg/s",) * 4, "", 200.0, "min_max"))
    with pytest.raises(ContractError, match="deg/s"):
        spec("rates").check(degrees, here="checkpoint x")


def test_nobody_there():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(RobotError, match=rf"no autopilot at udpin://127.0.0.1:{port} within 0.3 s"):
        driver(f"udpin://127.0.0.1:{port}", wait_s=0.3).connect()
    with pytest.raises(RobotError, match="nonsense cannot be opened"):
        driver("nonsense").connect()


@pytest.mark.robots
def test_a_second_controller_is_refused_and_the_first_hears_on():
    with SimulatedProcess("quadrotor", ["--port", "0"]) as sim:
        first, second = (driver(sim.address, silence_s=1.0) for _ in range(2))
        first.connect()
        with pytest.raises(RobotError, match="another program listens there; end that one first"):
            second.connect()
        clock = [first.read().time_s for _ in range(300)]
        assert (np.diff(clock) > 0).all()
        first.close()
        second.connect()
        second.close()


@pytest.mark.robots
@pytest.mark.parametrize(
    ("flags", "settings", "message"),
    [
        (["--battery", "0.1"], {}, r"battery is at 10%, at least 30% to start \(Preflight Fail: battery at 10%\)"),
        (["--no-positioned"], {}, "no position estimate.*Preflight Fail: no valid local position estimate"),
        ([], {"mode": "motors"}, r"version 1.15\) takes no commands for single motors.*--robot.mode rates"),
    ],
    ids=["battery", "position", "motors"],
)
def test_it_does_not_start(flags, settings, message):
    with SimulatedProcess("quadrotor", ["--port", "0", *flags]) as sim:
        robot = driver(sim.address, wait_s=2.0, **settings)
        with pytest.raises(RobotError, match=message):
            robot.connect()
        assert sim.ask("report")["modes"] == [[0.0, "HOLD"]]
        with pytest.raises(RobotError, match="call connect first"):
            robot.read()
        robot.close()


@pytest.mark.robots
def test_single_motors_where_the_autopilot_takes_them():
    with SimulatedProcess("quadrotor", ["--port", "0", "--motors"]) as sim:
        trip = Trip(sim, mode="motors")
        assert np.isnan(trip.state.effort).all()
        trip.ready()
        assert np.linalg.norm(trip.fly(2.0), axis=1).max() < 0.15
        trip.robot.close()
        trip.robot.close()
        report = sim.ask("report")
        assert not report["crashed"]
        assert not report["armed"]


def test_a_height_above_the_fence_is_no_height():
    with pytest.raises(BurnishError, match="height_m"):
        QuadrotorConfig(height_m=9.0)
