"""Poses of the tool become joints: exact in the open, calm where the arm cannot follow."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import BurnishError
from burnish.fr3 import ARM_LIMITS, DOWN
from burnish.real.franka.reach import SHARE, ToolPoses
from burnish.rotations import ROTATIONS, turn

HOME, PERIOD_S = np.append(DOWN, 0.05), 0.05
LOW, HIGH, SPEED = (np.array(part) for part in (ARM_LIMITS.low, ARM_LIMITS.high, ARM_LIMITS.velocity))
POSES = ToolPoses("6d")
HERE = POSES.actions(HOME[None])[0]


def led(path: np.ndarray, start: np.ndarray = HOME, before: np.ndarray | None = None) -> np.ndarray:
    """(H, 7) joints; within the limits of position and velocity wherever the path leads."""
    joints = POSES.setpoints(path, start, before, PERIOD_S)[:, :7]
    steps = np.abs(np.diff(np.vstack([start[:7], joints]), axis=0))
    assert (steps <= SHARE * SPEED * PERIOD_S + 1e-9).all()
    assert (joints >= LOW - 1e-9).all() and (joints <= HIGH + 1e-9).all()
    return joints


def line(to: np.ndarray, count: int = 60) -> np.ndarray:
    """(count, 10) from `HERE`, straight and by the shortest turn."""
    share, read = np.linspace(0, 1, count)[:, None], ROTATIONS["6d"].read
    turns = ROTATIONS["axis_angle"].read(share * turn(read(to[3:9]) @ read(HERE[3:9]).T)) @ read(HERE[3:9])
    path = HERE + (to - HERE) * share
    path[:, 3:9] = ROTATIONS["6d"].write(turns)
    return path


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_the_tool_is_where_it_should_be(rotation: str):
    poses, count = ToolPoses(rotation), 60
    here = ToolPoses("6d").actions(HOME[None])[0]
    phase, path = np.linspace(0, 2 * np.pi, count), np.tile(here, (count, 1))
    path[:, 0] += 0.08 * (np.cos(phase) - 1)
    path[:, 1] += 0.12 * np.sin(phase)
    tilt = ROTATIONS["axis_angle"].read(np.outer(0.3 * np.sin(phase), [0, 1, 0]))
    turns = tilt @ ROTATIONS["6d"].read(here[3:9])
    path = np.concatenate([path[:, :3], ROTATIONS[rotation].write(turns), path[:, 9:]], axis=1)
    joints = poses.setpoints(path, HOME, None, PERIOD_S)
    found = poses.actions(joints)
    assert np.allclose(found[:, :3], path[:, :3], atol=1e-6)
    read = ROTATIONS[rotation].read
    assert np.allclose(read(found[:, 3:-1]), read(path[:, 3:-1]), atol=1e-6)
    assert np.abs(np.diff(joints[:, :7], 2, axis=0)).max() < 0.02, "it is not smooth"


def test_out_of_reach_it_stretches_and_comes_back():
    away = HERE.copy()
    away[0] += 0.8
    joints = led(line(away))
    assert np.abs(np.diff(joints[-10:], axis=0)).max() < 0.03, "it does not rest"
    path = np.concatenate([line(away)[::-1], np.tile(HERE, (20, 1))])
    back = led(path, np.append(joints[-1], 0.05), path[0])
    assert np.allclose(POSES.actions(np.append(back[-1], 0.05)[None])[0], HERE, atol=1e-4)


def test_singular_poses_and_ends_of_joints_do_not_throw_it_about():
    random = np.random.default_rng(0)
    for _ in range(6):
        goal = POSES.actions(np.append(random.uniform(LOW, HIGH), 0.05)[None])[0]
        led(line(goal, 80))


def test_the_elbow_comes_home_while_the_tool_stands():
    away = HOME.copy()
    away[:7] += 0.3 * np.linalg.svd(_moves(HOME))[2][-1]
    there = POSES.actions(away[None])[0]
    joints = led(np.tile(there, (80, 1)), away)
    assert np.linalg.norm(joints[-1] - DOWN) < 0.75 * np.linalg.norm(away[:7] - DOWN)
    assert np.allclose(POSES.actions(np.append(joints[-1], 0.05)[None])[0], there, atol=1e-5)


def test_what_cannot_be_meant_is_left_for_safety_to_see():
    for change in (lambda pose: pose * ([1000] * 3 + [1] * 7), lambda pose: pose + np.eye(10)[1] * 0.4):
        leap = POSES.setpoints(change(HERE)[None], HOME, None, PERIOD_S)[0]
        assert np.abs(leap[:7] - DOWN).max() > 0.35  # more than it may jump
    broken = np.tile(HERE, (3, 1))
    broken[1, 0] = np.nan
    assert np.isnan(POSES.setpoints(broken, HOME, None, PERIOD_S)).any(axis=1).tolist() == [False, True, False]
    broken = np.tile(HERE, (1, 1))
    broken[0, 3:9] = 0
    with pytest.raises(BurnishError, match="first axis of a rotation"):
        POSES.setpoints(broken, HOME, None, PERIOD_S)


def test_what_was_asked_before_is_no_leap():
    beyond = HERE + np.eye(10)[0] * 0.6
    last = led(line(beyond))[-1]
    again = POSES.setpoints(beyond[None], np.append(last, 0.05), beyond, PERIOD_S)[0]
    assert np.abs(again[:7] - last).max() < 0.05


def _moves(setpoint: np.ndarray) -> np.ndarray:
    from burnish.fr3 import frames
    from burnish.sim.franka.kinematics import jacobian

    return jacobian(frames(setpoint[None, :7]))[0]
