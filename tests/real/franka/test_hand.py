"""The gripper's own process: when it fails, the arm is held, one line says why, and resuming goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from burnish.real.base import RobotError
from burnish.real.franka import hand
from tests.real.franka.conftest import Bench, Sway
from tests.real.franka.test_faults import put

pytestmark = pytest.mark.robots


def process_of(bench: Bench) -> int:
    """Of the hand at this bench's arm."""
    for path in Path("/proc").glob("[0-9]*"):
        words = (path / "cmdline").read_bytes().split(b"\0") if path.exists() else []
        if hand.__name__.encode() in words and bench.robot.address.encode() in words:
            return int(path.name)
    raise AssertionError("no hand")


def test_fingers_that_were_stuck_move_again(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        bench.robot.ask("gripper_stuck", on=True)
        plans.spoil = put(7, 0.0)
        try:
            bench.held(session, "robot", seconds=5.0)
        finally:
            bench.robot.ask("gripper_stuck", on=False)
        session.resume()
        bench.moving(session, 0.5)
        plans.spoil = put(7, 0.0)
        session.run(2.0)
        assert session.row is not None and session.row.phase == "playing", bench.said
        assert bench.robot.ask("report")["gripper_width"] < 0.01


def test_a_hand_that_hangs_is_noticed_and_waited_for(bench: Bench) -> None:
    with bench.session(Sway()) as session:
        bench.moving(session)
        process = process_of(bench)
        os.kill(process, signal.SIGSTOP)
        try:
            bench.held(session, "robot", seconds=8.0)
        finally:
            os.kill(process, signal.SIGCONT)
        assert any("the gripper has said nothing for" in line for line in bench.said)
        session.run(0.5)
        session.resume()
        bench.moving(session)


def test_a_hand_whose_process_ended_is_no_traceback(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    with bench.session(Sway()) as session:
        bench.moving(session)
        os.kill(process_of(bench), signal.SIGKILL)
        bench.held(session, "robot")
        with pytest.raises(RobotError, match=r"the gripper's process ended; .* the same command again"):
            session.resume()
    assert "Traceback" not in capfd.readouterr().err


def test_a_line_that_is_cut_is_no_traceback(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        with pytest.raises(RobotError), bench.session(Sway()) as session:
            bench.moving(session)
            bench.robot.ask("silent", on=True)
            session.run(4.0)
    finally:
        bench.robot.ask("silent", on=False)
    assert "Traceback" not in capfd.readouterr().err
