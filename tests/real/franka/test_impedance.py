"""The two impedance controllers: pushed at its tool, the arm gives way as its stiffness says."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import BurnishError
from burnish.fr3 import DOWN, JOINT_STIFFNESS, TOOL, frames
from burnish.real.franka.driver import FrankaConfig
from burnish.sim.franka.kinematics import jacobian
from tests.real.franka.conftest import Bench, Sway

pytestmark = pytest.mark.robots

SOFT = (1000.0, 500.0, 250.0, 100.0, 100.0, 100.0)
"""Of another stiffness along each axis of the tool."""
FORCES = ([8.0, 0.0, 0.0], [0.0, 6.0, 0.0], [0.0, 0.0, -5.0])
"""N, base frame."""
HOME = np.array(DOWN)


def pushed(bench: Bench, **config: object) -> np.ndarray:
    """(3, 3) m: by how much the tool of the held arm gives way to each of `FORCES`."""
    found = []
    with bench.session(Sway(), config=config) as session:
        session.run(1.0)
        before = np.array(bench.robot.ask("report")["tool"])
        for force in FORCES:
            bench.robot.ask("push", force=force)
            session.run(2.0)
            found.append(np.array(bench.robot.ask("report")["tool"]) - before)
        bench.robot.ask("push", force=[0, 0, 0])
        session.run(2.0)
        assert np.abs(np.array(bench.robot.ask("report")["tool"]) - before).max() < 5e-4, "it does not come back"
        assert session.row is not None and session.row.phase == "holding", bench.said
    assert bench.violations() == {}
    return np.array(found)


def test_the_tool_gives_way_by_the_cartesian_stiffness(bench: Bench) -> None:
    """Each within a tenth, and 0.5 mm, of force / stiffness along the tool's own axes."""
    turn = frames(HOME)[TOOL, :3, :3]
    expected = np.array([turn @ np.diag(1 / np.array(SOFT[:3])) @ turn.T @ force for force in FORCES])
    assert np.ptp(np.abs(expected).max(axis=1)) > 0.005  # the axes differ
    found = pushed(bench, impedance="cartesian", cartesian_stiffness=SOFT)
    assert np.allclose(found, expected, rtol=0.1, atol=5e-4), (found, expected)


def test_the_joints_give_way_by_their_stiffness(bench: Bench) -> None:
    """Each within a tenth, and 0.3 mm, of what springs in the joints let the tool do."""
    stiffness = np.array(JOINT_STIFFNESS) / 4
    moves = jacobian(frames(HOME[None]))[0][:3]
    expected = np.array([moves @ np.diag(1 / stiffness) @ moves.T @ force for force in FORCES])
    found = pushed(bench, stiffness=tuple(stiffness))
    assert np.allclose(found, expected, rtol=0.1, atol=3e-4), (found, expected)


def test_it_follows_a_policy_in_either(bench: Bench) -> None:
    with bench.session(Sway(), config={"impedance": "cartesian"}) as session:
        bench.moving(session)
        away = []
        for _ in range(20):
            session.run(0.05)
            away.append(np.abs(session.row.measured[:7] - session.row.setpoint[:7]).max())
        assert session.row.phase == "playing" and max(away) < 0.03, (bench.said, max(away))
        session.halt()
        bench.held(session, "operator")
    assert bench.violations() == {}


def test_what_the_robot_refuses_is_refused(bench: Bench) -> None:
    import pylibfranka as franka

    robot = franka.Robot(bench.robot.address, franka.RealtimeConfig.kIgnore)
    with pytest.raises(franka.CommandException):
        robot.set_cartesian_impedance([5.0, 3000.0, 3000.0, 300.0, 300.0, 300.0])
    with pytest.raises(franka.CommandException):
        robot.set_joint_impedance([20000.0] * 7)
    robot.set_cartesian_impedance([10.0, 3000.0, 3000.0, 1.0, 300.0, 300.0])
    del robot
    with pytest.raises(BurnishError, match=r"cartesian_stiffness 1 is 5; the robot takes 10 … 3000"):
        FrankaConfig(cartesian_stiffness=(5.0, 3000.0, 3000.0, 300.0, 300.0, 300.0))
    with pytest.raises(BurnishError, match=r"stiffness 7 is 20000; the robot takes 0 … 14250"):
        FrankaConfig(stiffness=(*JOINT_STIFFNESS[:6], 20000.0))


def test_a_singular_pose_is_no_place_to_begin_softly(bench: Bench) -> None:
    bench.robot.ask("place", joints=[0.0, 0.0, 0.0, -0.475, 0.0, 1.57, 0.785])
    try:
        with (
            pytest.raises(BurnishError, match="singular pose"),
            bench.session(Sway(), config={"impedance": "cartesian"}),
        ):
            pass
    finally:
        bench.robot.ask("place")
