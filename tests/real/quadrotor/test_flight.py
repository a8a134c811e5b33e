"""Flights through driver and Safety over real MAVLink, and what each fault ends in."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from burnish.real.base import RobotError
from burnish.real.simulated import SimulatedProcess
from tests.real.quadrotor.conftest import Trip, wait_for

pytestmark = pytest.mark.robots
NEAR_M = 0.15


@pytest.fixture
def up(trip) -> Trip:
    trip.ready()
    return trip


def modes(report: dict) -> list[str]:
    return [mode for _, mode in report["modes"]]


def unhurt(trip: Trip, mode: str, seconds: float = 10.0) -> dict:
    """The robot's own report once it is in `mode` and still well."""
    seen = wait_for(trip.sim, lambda seen: seen["mode"] == mode, seconds)
    assert seen["mode"] == mode
    assert not seen["crashed"]
    assert not seen["violations"]
    return seen


def flown_until(trip: Trip, mode: str) -> dict:
    """As `unhurt`, with the driver at work all the while."""
    for _ in range(50):
        trip.fly(0.2)
        if trip.sim.ask("report")["mode"] == mode:
            break
    return unhurt(trip, mode)


def test_it_hovers_and_returns_from_a_gust(up):
    errors = up.fly(5.0)
    assert np.linalg.norm(errors, axis=1).max() < NEAR_M
    up.sim.ask("wind", velocity=[0.0, 2.0, 0.0])
    up.sim.ask("push", force=[4.0, 0.0, 0.0], seconds=0.2)
    errors = up.fly(3.0)
    up.sim.ask("wind", velocity=[0.0, 0.0, 0.0])
    assert np.linalg.norm(errors[-100:], axis=1).max() < NEAR_M
    assert not up.rule


def test_it_hovers_with_messages_lost_and_late(up):
    up.sim.ask("lose", fraction=0.1)
    up.sim.ask("delay", seconds=0.02)
    errors = up.fly(3.0)
    up.sim.ask("lose", fraction=0.0)
    up.sim.ask("delay", seconds=0.0)
    assert np.linalg.norm(errors, axis=1).max() < 2 * NEAR_M
    assert not up.rule


def test_an_action_that_is_no_number_makes_it_hover_and_play_goes_on_after(up):
    up.fly(0.5, act=lambda *_: np.array([0.0, np.nan, 0.0, 0.5]))
    assert up.rule == "finite"
    unhurt(up, "HOLD")
    up.state = up.robot.read()
    up.safety.start(up.state)
    up.fly(2.0)
    unhurt(up, "OFFBOARD")
    assert not up.rule


def test_silence_of_the_policy_makes_it_hover_then_land(up):
    up.fly(0.3)
    up.fly(0.6, act=lambda *_: None)
    assert up.rule == "silence"
    unhurt(up, "HOLD")
    seen = flown_until(up, "LAND")
    assert modes(seen)[-3:] == ["OFFBOARD", "HOLD", "LAND"]


def test_who_takes_over_by_remote_control_is_left_alone(up):
    up.fly(0.3)
    up.sim.ask("rc_takeover")
    up.fly(2.5)
    assert up.rule == "robot"
    assert "operator took over: the mode is POSCTL" in up.safety.verdict.message
    unhurt(up, "POSCTL")
    with pytest.raises(RobotError, match="let him switch to HOLD"):
        up.robot.recover()
    up.sim.ask("rc_takeover", mode="HOLD")
    up.listen()
    up.robot.recover()
    up.robot.prepare()
    unhurt(up, "OFFBOARD")


def test_a_failsafe_of_the_autopilot_is_named_and_not_fought(up):
    up.fly(0.3)
    up.sim.ask("failsafe", reason="data link lost")
    up.fly(2.0)
    assert up.rule == "robot"
    assert "left OFFBOARD for HOLD (Failsafe activated: data link lost)" in up.safety.verdict.message
    unhurt(up, "LAND")


def test_a_low_battery_ends_the_flight(up):
    up.sim.ask("battery", left=0.1)
    up.fly(1.5)
    assert up.rule == "robot"
    assert "battery is at 10%" in up.safety.verdict.message
    assert modes(flown_until(up, "LAND"))[-3:] == ["OFFBOARD", "HOLD", "LAND"]
    up.sim.ask("battery", left=1.0)
    up.listen()


def test_the_fence_holds(up):
    up.fly(4.0, away=np.array([4.0, 0.0, 0.0]))
    assert up.rule == "robot"
    assert "outside the fence" in up.safety.verdict.message
    seen = flown_until(up, "LAND")  # nobody resumes: 4 s after the halt
    assert modes(seen)[-3:] == ["OFFBOARD", "HOLD", "LAND"]
    assert seen["position"][0] - up.home[0] < 3.5


def test_a_clock_that_jumps_is_a_fault(up):
    up.sim.ask("clock_jump", seconds=10.0)
    up.fly(0.5)
    assert up.rule == "robot"
    assert re.search(r"clock jumped by (9\.9|10\.)", up.safety.verdict.message)
    unhurt(up, "HOLD")


def test_no_telemetry_is_an_error_and_the_autopilot_lands_by_itself(sim, up):
    sim.ask("silent")
    with pytest.raises(RobotError, match=r"no telemetry from udpin://.*COM_OF_LOSS_T"):
        up.fly(2.0)
    seen = unhurt(up, "LAND")
    assert modes(seen)[-3:] == ["OFFBOARD", "HOLD", "LAND"]
    sim.ask("silent", on=False)


def test_a_refused_offboard_is_said_and_it_hovers(up):
    up.fly(0.3, act=lambda *_: np.full(4, np.nan))
    unhurt(up, "HOLD")
    up.sim.ask("reject_offboard")
    with pytest.raises(RobotError, match=r"refuses OFFBOARD: .*Switching to Offboard is currently not available"):
        up.robot.prepare()
    up.sim.ask("reject_offboard", on=False)
    unhurt(up, "HOLD")


PILOT = """
import sys
from burnish.real.quadrotor.config import QuadrotorConfig
from burnish.real.quadrotor.driver import QuadrotorDriver
from burnish.real.quadrotor.pilot import Pilot
from burnish.real.safety import Safety
robot, pilot = QuadrotorDriver(QuadrotorConfig(sys.argv[1], mode="rates", height_m=1.2, silence_s=1.0)), Pilot("rates")
robot.connect()
state = robot.prepare()
safety = Safety(robot.spec)
safety.start(state)
place = state.values[:3].copy()
for cycle in range(10**6):
    safety.want(state, pilot.act(state.values, place)[None], 1)
    robot.write(safety.step(state, silence_s=0.2))
    state = robot.read()
    if cycle == 200:
        print("flying", flush=True)
"""


def test_a_driver_that_is_killed_leaves_a_robot_that_holds_and_lands():
    with SimulatedProcess("quadrotor", ["--port", "0", "--hold-s", "1.0"]) as sim:
        driver = subprocess.Popen([sys.executable, "-c", PILOT, sim.address], stdout=subprocess.PIPE)
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"flying\n"
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        seen = wait_for(sim, lambda seen: not seen["armed"])
    assert modes(seen)[-3:] == ["OFFBOARD", "HOLD", "LAND"]
    assert seen["failsafe"] or seen["landed"]
    assert not seen["crashed"]
    assert seen["landing_speed"] < 1.0


def test_body_rates_hover_and_a_dead_motor_is_seen_for_what_it_is():
    with SimulatedProcess("quadrotor", ["--port", "0"]) as sim:
        trip = Trip(sim, mode="rates")
        trip.ready()
        errors = trip.fly(5.0)
        assert np.linalg.norm(errors, axis=1).max() < NEAR_M
        assert not sim.ask("report")["violations"]
        sim.ask("motor_dead", rotor=1)
        trip.fly(3.0)
        assert trip.rule == "robot"
        assert "flipped" in sim.ask("report")["crashed"]
        trip.robot.close()
