from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.real.quadrotor.frames import angles, attitude, from_angles, quaternion, tilt, turn_body, turn_world

ANGLE = st.floats(-3.1, 3.1)
PITCH = st.floats(-1.5, 1.5)


def test_east_north_and_up():
    assert turn_world(np.array([1.0, 2.0, 3.0])).tolist() == [2.0, 1.0, -3.0]  # north 1, east 2, down 3


def test_level_and_heading_north_is_a_yaw_of_a_quarter_turn():
    level = attitude(np.array([1.0, 0, 0, 0]))
    assert angles(level) == pytest.approx([0, 0, math.pi / 2])
    assert level @ [1, 0, 0] == pytest.approx([0, 1, 0])  # its front looks north
    assert level @ [0, 0, 1] == pytest.approx([0, 0, 1])  # its up is up


def test_a_roll_to_the_right_stays_one():
    rolled = attitude(np.array([math.cos(0.1), math.sin(0.1), 0, 0]))  # FRD: positive roll, right side down
    assert angles(rolled)[0] == pytest.approx(0.2)
    assert (rolled @ [0, 1, 0])[2] > 0  # the left side is up
    assert turn_body(np.array([1.0, 0, 0]))[0] == 1.0


def test_nose_up_in_mavlink_is_a_negative_pitch_about_left():
    nose_up = attitude(np.array([math.cos(0.1), 0, math.sin(0.1), 0]))
    assert angles(nose_up)[1] == pytest.approx(-0.2)
    assert (nose_up @ [1, 0, 0])[2] > 0


@settings(deadline=None)
@given(ANGLE, PITCH, ANGLE)
def test_there_and_back(roll, pitch, yaw):
    rotation = from_angles(roll, pitch, yaw)
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
    assert angles(rotation) == pytest.approx([roll, pitch, yaw], abs=1e-9)
    assert attitude(quaternion(rotation)) == pytest.approx(rotation, abs=1e-12)


@settings(deadline=None)
@given(ANGLE, PITCH)
def test_tilt_does_not_care_where_it_heads(yaw, pitch):
    assert tilt(from_angles(0, pitch, yaw)) == pytest.approx(abs(pitch), abs=1e-6)
