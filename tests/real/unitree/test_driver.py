"""The driver against a simulated robot over real DDS: what it refuses and counts, how it stands up and lies down."""

import threading

import numpy as np
import pytest

from burnish.real.base import RobotError
from burnish.real.unitree.driver import Go2, UnitreeConfig
from burnish.unitree import G1, GO2

pytestmark = pytest.mark.robots


@pytest.fixture(scope="module")
def go2(start):
    return start("unitree-go2")


@pytest.fixture(autouse=True)
def mended(request):
    yield
    if "go2" in request.fixturenames:
        request.getfixturevalue("go2").ask("mend")


def test_an_interface_that_is_not_there_is_named():
    with pytest.raises(RobotError, match="interface 'eth77'"):
        Go2(UnitreeConfig("eth77", 231)).connect()


def test_nobody_there_is_an_error_that_names_topic_and_interface():
    with pytest.raises(RobotError, match=r"no LowState on interface 'lo', topic rt/lowstate, for 3 s"):
        Go2(UnitreeConfig("lo", 232)).connect()


def test_a_robot_that_is_not_well_is_refused(go2, driver):
    with pytest.raises(RobotError, match="battery is at 90 %, at least 95"):
        driver(go2, battery=95).connect()
    go2.ask("hot", motor=2)
    with pytest.raises(RobotError, match="motor FR_calf_joint is at 110 °C"):
        driver(go2).connect()
    go2.ask("mend")
    go2.ask("bad_crc")
    with pytest.raises(RobotError, match="with a bad CRC"):
        driver(go2).connect()


def test_a_second_controller_is_refused(go2, driver):
    first = driver(go2)
    first.connect()
    second = driver(go2)
    holding = True

    def hold():
        while holding:
            first.command.damp()
            first.command.send()
            first.read()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        with pytest.raises(RobotError, match="somebody else publishes rt/lowcmd"):
            second.connect()
    finally:
        holding = False
        thread.join()


def test_what_the_line_does_is_counted(go2, driver):
    robot = driver(go2)
    robot.connect()
    for fault, settings, counter in (
        ("lose", {"share": 0.2}, "lost"),
        ("bad_crc", {"share": 0.2}, "bad_crc"),
        ("duplicate", {}, "stale"),
        ("reorder", {}, "stale"),
    ):
        go2.ask(fault, **settings)
        robot.link.begin()
        clock = [robot.read().time_s for _ in range(150)]
        assert (np.diff(clock) > 0).all(), fault  # whatever happens, time goes on
        assert getattr(robot.link, counter) > 10, fault
        go2.ask("mend")


def test_a_command_with_a_bad_crc_is_ignored(go2, driver):
    robot = driver(go2)
    robot.connect()
    before = go2.ask("report")
    for _ in range(50):
        robot.command.damp()
        robot.command.message.record["crc"] = 1
        robot.command.writer.write(robot.command.message)
        robot.read()
    after = go2.ask("report")
    assert after["commands"] == before["commands"]
    assert after["bad_crc"] >= before["bad_crc"] + 40


def test_it_stands_up_and_lies_down(go2, driver):
    robot = driver(go2)
    robot.connect()
    state = robot.stand(2.0)
    np.testing.assert_allclose(state.measured, GO2.path[-1], atol=0.3)
    report = go2.ask("report")
    assert report["height_m"] > 0.27
    assert report["tilt_rad"] < 0.1
    robot.close()
    robot.close()
    report = go2.ask("report")
    assert report["height_m"] < 0.16
    assert report["damped_by"]
    assert not report["violations"]


def test_a_motor_error_while_it_stands_up_damps_it(go2, driver):
    robot = driver(go2)
    robot.connect()
    for _ in range(60):  # motors that nobody commands report no error of their own
        robot.command.damp()
        robot.command.send()
        robot.read()
    go2.ask("motor_error", motor=5)
    with pytest.raises(RobotError, match="motor FL_calf_joint has left its control mode"):
        robot.stand(2.0)
    with pytest.raises(RobotError, match="cannot go on"):
        robot.recover()
    go2.ask("mend")
    robot.recover()
    robot.stand(2.0)


def test_a_g1_is_taken_from_its_motion_service_and_stands(start, driver):
    g1 = start("unitree-g1", "--service", "ai")
    with pytest.raises(RobotError, match=r"motion service 'ai' has the motors.*--robot\.release"):
        driver(g1, "g1").connect()
    robot = driver(g1, "g1", release=True)
    robot.connect()
    assert g1.ask("report")["service"] == ""
    state = robot.stand(2.0)
    np.testing.assert_allclose(state.measured, G1.path[-1], atol=0.3)
    report = g1.ask("report")
    assert report["tilt_rad"] < 0.2
    assert not report["violations"]
