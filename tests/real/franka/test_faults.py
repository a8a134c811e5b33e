"""Whatever fails while the arm moves, it ends held, inside its limits by its own account, and says why."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.errors import BurnishError
from burnish.real.base import RobotError
from burnish.real.journal import count_halts, read_cycles
from burnish.real.player import Chunk
from tests.real.franka.conftest import Bench, Sway

pytestmark = pytest.mark.robots


def broken(actions: np.ndarray, change: Any) -> np.ndarray:
    actions = actions.copy()
    change(actions)
    return actions


def put(columns: Any, value: float) -> Any:
    def change(actions: np.ndarray) -> None:
        actions[:, columns] = value

    return lambda actions: broken(actions, change)


PLANS = {
    "NaN": ("finite", put(2, np.nan)),
    "infinite": ("finite", put(5, np.inf)),
    "jump of 0.5 rad": ("jump", lambda actions: actions + np.eye(8)[4] * 0.5),
    "degrees": ("jump", lambda actions: np.hstack([np.degrees(actions[:, :7]), actions[:, 7:]])),
    "joints in another order": ("jump", lambda actions: actions[:, [6, 5, 4, 3, 2, 1, 0, 7]]),
}


@pytest.mark.parametrize("fault", PLANS)
def test_a_plan_that_cannot_be_meant(bench: Bench, fault: str) -> None:
    rule, spoil = PLANS[fault]
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        plans.spoil = spoil
        bench.held(session, rule)


def test_a_plan_of_another_dimension(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        plans.spoil = lambda actions: actions[:, :7]
        bench.held(session, "policy")


def test_a_plan_that_leads_out_of_the_workspace(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        plans.home[0] += 2.4  # behind its own base
        bench.held(session, "workspace", seconds=6.0)


def test_a_policy_that_goes_silent(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        plans.took_s = 3.0
        bench.held(session, "silence", seconds=3.0)


def test_a_policy_that_raises(bench: Bench) -> None:
    plans = Sway()

    def refuse(_: np.ndarray) -> np.ndarray:
        raise BurnishError("the policy server is gone")

    with bench.session(plans) as session:
        bench.moving(session)
        plans.spoil = refuse
        bench.held(session, "policy")
        assert any("the policy server is gone" in line for line in bench.said)


def test_a_policy_that_fails_as_nobody_thought_of(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        plans.spoil = lambda actions: 1 / 0
        bench.held(session, "policy")
        assert any("ZeroDivisionError" in line for line in bench.said)
        session.resume()
        bench.moving(session)


def test_a_delay_of_300_ms_is_lived_through(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        plans.took_s = 0.3
        session.run(0.7)
        plans.took_s = 0.0
        session.run(0.7)
        assert session.row is not None and session.row.phase == "playing", bench.said
    assert bench.violations() == {}


def test_plans_that_come_twice_or_in_the_wrong_order_are_not_played(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        old = Chunk(0, np.full((24, 8), 2.0))  # far away: playing it would halt
        for _ in range(20):
            session._mailbox.send(old)
            session.run(0.02)
        assert session.row is not None and session.row.phase in ("playing", "halted")
        assert "jump" not in bench.rules()
    assert bench.violations() == {}


def test_a_reflex_of_the_robots_own(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        bench.robot.ask("reflex")
        bench.held(session, "robot")
        assert any("joint_reflex" in line for line in bench.said)
        session.resume()
        bench.moving(session)


def test_the_emergency_stop_holds_until_it_is_released(bench: Bench) -> None:
    with bench.session(Sway()) as session:
        bench.moving(session)
        bench.robot.ask("user_stop")
        bench.held(session, "robot")
        with pytest.raises(RobotError, match="emergency stop"):
            session.resume()
        bench.robot.ask("release")
        session.resume()
        bench.moving(session)


def test_the_operators_stop(bench: Bench) -> None:
    with bench.session(Sway()) as session:
        bench.moving(session)
        session.halt()
        bench.held(session, "operator")
        session.resume()
        bench.moving(session)


def test_the_robot_is_held_while_a_policy_takes_long_to_come_back(bench: Bench) -> None:
    class Slow(Sway):
        def renew(self) -> None:
            super().renew()
            time.sleep(2.0)

    with bench.session(Slow()) as session, ThreadPoolExecutor() as pool:
        bench.moving(session)
        session.halt()
        bench.held(session, "operator")
        coming, oldest = pool.submit(session.resume), 0.0
        while not coming.done():
            oldest = max(oldest, session._mailbox.age_s())
            time.sleep(0.01)
        coming.result()
        assert oldest < 1.0, "the owner was there all the time"
        bench.moving(session)


def test_resuming_waits_until_it_stands(bench: Bench) -> None:
    with bench.session(Sway()) as session:
        bench.moving(session)
        session.halt()
        session.resume()  # at once, while it brakes
        session.play()
        session.run(0.5)
        assert session.row is not None and session.row.phase == "playing", bench.said
    assert bench.violations() == {}


def test_what_is_not_halted_is_not_resumed(bench: Bench) -> None:
    class Slow(Sway):
        def renew(self) -> None:
            time.sleep(3.0)

    with bench.session(Slow()) as session:
        bench.moving(session)
        with pytest.raises(BurnishError, match="it is playing, not halted"):
            session.resume()
        session.run(1.0)
        assert session.row is not None and session.row.phase == "playing", bench.said


def test_a_fifth_of_all_packets_lost(bench: Bench) -> None:
    with bench.session(Sway()) as session:
        bench.moving(session)
        bench.robot.ask("lose", share=0.2)
        try:
            session.run(1.5)
            assert session.row is not None and session.row.missed > 10
            assert session.row.phase == "playing", bench.said
        finally:
            bench.robot.ask("lose", share=0.0)
    assert bench.violations() == {}


def test_the_line_to_the_robot_is_cut(bench: Bench) -> None:
    try:
        with pytest.raises(RobotError, match=r"the line to the robot is cut|is gone"), bench.session(Sway()) as session:
            bench.moving(session)
            bench.robot.ask("silent", on=True)
            session.run(4.0)
    finally:
        bench.robot.ask("silent", on=False)
    time.sleep(0.5)
    assert bench.robot.ask("report")["still_s"] > 0.1
    bench.robot.ask("place")
    with bench.session(Sway()) as session:
        bench.moving(session)


def test_the_control_process_is_killed(bench: Bench) -> None:
    with pytest.raises(RobotError, match="control process ended"), bench.session(Sway()) as session:
        bench.moving(session)
        os.kill(session.process.pid, signal.SIGKILL)
        session.run(2.0)
    time.sleep(0.3)
    assert bench.robot.ask("report")["still_s"] > 0.1
    assert bench.violations().keys() <= {"communication_constraints_violation"}
    names, cycles = read_cycles(bench.folder)
    assert len(cycles) > 300 and cycles[-1, names.index("phase")] == 2


def test_the_control_process_hangs(bench: Bench) -> None:
    with (
        pytest.raises(RobotError, match="the control process has said nothing for 2 s"),
        bench.session(Sway()) as session,
    ):
        bench.moving(session)
        os.kill(session.process.pid, signal.SIGSTOP)
        session.run(4.0)
    assert bench.robot.ask("report")["still_s"] > 0.1
    assert bench.violations().keys() <= {"communication_constraints_violation"}


def test_the_process_that_plans_is_gone(bench: Bench) -> None:
    with bench.session(Sway()) as session:
        bench.moving(session)
        time.sleep(1.6)  # the owner hangs
        session.step()
        bench.held(session, "owner")


def test_two_controllers_at_once(bench: Bench) -> None:
    other = Bench(bench.robot, bench.folder.with_name("other"))
    with bench.session(Sway()) as session:
        bench.moving(session)
        with ThreadPoolExecutor() as pool:
            second = pool.submit(lambda: other.session(Sway()).__enter__())
            session.run(30.0, second.done)
        with pytest.raises(RobotError, match="somebody else commands it"):
            second.result()
        assert session.row is not None and session.row.phase == "playing", bench.said


def test_a_full_disk_ends_the_recording_and_not_the_motion(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.folder.mkdir(parents=True)
    (bench.folder / "cycles.f64").symlink_to("/dev/full")
    with bench.session(Sway()) as session:
        bench.moving(session, 2.0)
    assert "not recorded any more: No space left on device" in capfd.readouterr().err


def test_a_gripper_that_is_stuck(bench: Bench) -> None:
    plans = Sway()
    with bench.session(plans) as session:
        bench.moving(session)
        bench.robot.ask("gripper_stuck", on=True)
        plans.spoil = put(7, 0.0)
        try:
            bench.held(session, "robot", seconds=5.0)
            assert any("gripper is stuck" in line for line in bench.said)
        finally:
            bench.robot.ask("gripper_stuck", on=False)


def test_everything_that_happened_is_written_down(bench: Bench) -> None:
    with bench.session(Sway()) as session:
        bench.moving(session)
        session.halt()
        bench.held(session, "operator")
    names, cycles = read_cycles(bench.folder)
    time_s = cycles[:, names.index("time_s")]
    assert (np.diff(cycles[:, names.index("cycle")]) == 1).all() and (np.diff(time_s) > 0).all()
    assert np.isfinite(cycles[:, names.index("setpoint/joint1")]).all()
    assert bench.rules() == ["play", "operator"] and count_halts(bench.folder) == 1
    assert Path(bench.folder / "control.json").exists()
