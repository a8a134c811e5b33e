"""A simulated Go2 that stands, is hurt in every way, and ends damped."""

import re
import subprocess
import sys

import numpy as np
import pytest

from burnish.real.base import RobotError
from burnish.real.safety import Safety
from burnish.unitree import GO2

pytestmark = pytest.mark.robots

STANDING = np.array(GO2.path[-1])
REACTION_S = 0.05


@pytest.fixture(scope="module")
def go2(start):
    return start("unitree-go2")


@pytest.fixture
def standing(go2, driver):
    """(robot, safety, state) of a robot on its legs."""
    go2.ask("mend")
    robot = driver(go2)
    robot.connect()
    state = robot.stand(1.5)
    safety = Safety(robot.spec)
    safety.start(state)
    return robot, safety, state


def sway(state):
    """A posture that moves a little, once per second."""
    return STANDING + 0.03 * np.sin(2 * np.pi * state.time_s)


def damped(go2):
    """The report of the robot once it is damped."""
    for _ in range(5000):
        report = go2.ask("report")
        if report["damped_by"]:
            return report
    raise AssertionError("it is not damped")


def damped_in_time(go2, detected_s, before):
    """The robot's own clock says when it was damped. Cycles in which it starved, for others had the CPU, are given."""
    report = damped(go2)
    assert report["damped_by"] == "command"
    starved = (report["late"] - before["late"]) / 500
    assert detected_s - 0.01 <= report["damped_s"] <= detected_s + REACTION_S + starved


def test_it_stands_and_sways(go2, standing, play):
    robot, safety, state = standing
    state = play(robot, safety, state, 1500, sway)
    assert safety.verdict is None
    assert not safety.limited
    report = go2.ask("report")
    assert report["height_m"] > 0.2
    assert report["tilt_rad"] < 0.4
    assert not report["fell"]
    assert not report["violations"]
    assert report["bad_crc"] == 0
    assert robot.link.bad_crc == 0


@pytest.mark.parametrize(
    ("fault", "settings", "says"),
    [
        ("kill_joystick", {}, r"operator stop \(L2\+B\)"),
        ("motor_error", {"motor": 3}, "FL_hip_joint has left its control mode"),
        ("hot", {"motor": 11}, "RL_calf_joint is at 110"),
        ("tip", {"speed": 3.0}, "fallen"),
    ],
)
def test_what_the_robot_reports_damps_it(go2, standing, play, fault, settings, says):
    robot, safety, state = standing
    state = play(robot, safety, state, 100, sway)
    before = go2.ask("report")
    go2.ask(fault, **settings)
    play(robot, safety, state, 1500, sway)
    assert safety.verdict is not None
    assert safety.verdict.rule == "robot"
    assert re.search(says, safety.verdict.message)
    damped_in_time(go2, safety.verdict.time_s, before)


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (lambda state: np.where(np.arange(12) == 4, np.nan, STANDING), "finite"),
        (lambda state: STANDING + 0.7 * (np.arange(12) == 7), "jump"),
        (lambda state: STANDING[:11], "dimension"),
    ],
)
def test_an_action_that_cannot_be_meant_damps_it(go2, standing, play, action, rule):
    robot, safety, state = standing
    state = play(robot, safety, state, 100, sway)
    before = go2.ask("report")
    play(robot, safety, state, 20, action)
    assert safety.verdict is not None
    assert safety.verdict.rule == rule
    damped_in_time(go2, safety.verdict.time_s, before)


@pytest.mark.parametrize(("fault", "says"), [("silent", "no LowState"), ("bad_crc", "with a bad CRC")])
def test_a_robot_that_is_not_heard_is_damped(go2, standing, play, fault, says):
    robot, safety, state = standing
    state = play(robot, safety, state, 100, sway)
    go2.ask(fault)
    with pytest.raises(RobotError, match=says):
        play(robot, safety, state, 3000, sway)
    assert damped(go2)["damped_by"] in ("command", "timeout")  # the driver's last word, or the robot's timeout before
    go2.ask("mend")


def test_it_goes_on_after_a_stop_only_when_an_operator_says_so(go2, standing, play):
    robot, safety, state = standing
    go2.ask("kill_joystick")
    state = play(robot, safety, state, 1500, sway)
    with pytest.raises(RobotError, match="cannot go on: operator stop"):
        robot.recover()
    for _ in range(400):  # the keys are let go
        robot.write(safety.step(state))
        state = robot.read()
    assert state.fault
    assert go2.ask("report")["height_m"] < 0.2
    robot.recover()
    safety.start(robot.stand(1.5))
    assert go2.ask("report")["height_m"] > 0.27


CONTROLLER = """
import sys
import numpy as np
from burnish.real.safety import Safety
from burnish.real.unitree.driver import Go2, UnitreeConfig

robot = Go2(UnitreeConfig("lo", int(sys.argv[1]), silence=1.0))
robot.connect()
state = robot.stand(1.5)
safety = Safety(robot.spec)
safety.start(state)
print("standing", flush=True)
while True:
    safety.want(state, np.array(robot.model.path[-1])[None], 1)
    robot.write(safety.step(state, silence_s=0.2))
    state = robot.read()
"""


def test_a_killed_controller_leaves_a_robot_that_damps_itself(go2):
    go2.ask("mend")
    with subprocess.Popen([sys.executable, "-c", CONTROLLER, str(go2.domain)], stdout=subprocess.PIPE) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline() == b"standing\n"
        assert go2.ask("report")["damped_by"] == ""
        controller.kill()
    report = damped(go2)
    assert report["damped_by"] == "timeout"
    assert report["damped_s"] - report["last_command_s"] <= 0.4 + 0.004
