"""Clips: whole on the way to a file and back, smooth between their moments, and refused for what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from burnish.clip import Clip, load
from burnish.errors import BurnishError, UnknownNameError
from burnish.greet import greet
from burnish.tracking import LEAD_IN_S, SHARE, Following, Reference
from burnish.unitree import G1, GO2


@pytest.fixture
def write(tmp_path: Path):
    def file(text: str) -> Path:
        (tmp_path / "clip.csv").write_text(text)
        return tmp_path / "clip.csv"

    return file


def test_a_clip_is_the_same_after_a_file(tmp_path: Path):
    greet().save(tmp_path / "greet.csv")
    found = load(tmp_path / "greet.csv")
    assert (found.joints, round(found.rate_hz, 6)) == (G1.follows, 50.0)
    np.testing.assert_allclose(found.poses, greet().poses, atol=1e-4)


def test_between_its_moments_it_is_smooth_and_at_its_ends_it_rests():
    seconds = np.arange(0.0, 2.01, 0.1)
    clip = Clip("swing", ("waist_yaw_joint",), 10.0, 0.3 * (1 - np.cos(np.pi * seconds))[:, None])
    fine = np.linspace(0.1, 1.9, 200)
    place, speed = clip.at(fine)
    np.testing.assert_allclose(place[:, 0], 0.3 * (1 - np.cos(np.pi * fine)), atol=1e-3)
    np.testing.assert_allclose(speed[:, 0], 0.3 * np.pi * np.sin(np.pi * fine), atol=0.03)
    for outside in (-1.0, 5.0):
        place, speed = clip.at(np.array(outside))
        assert place == pytest.approx(0.0, abs=1e-9) and speed == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1\n1,2\n", "begins with '0', not with 'time_s'"),
        ("", "begins with nothing"),
        ("time_s\n0\n1\n", "names no joint"),
        ("time_s,waist_yaw_joint\n0,0\n", "1 moments; it needs two"),
        ("time_s,waist_yaw_joint\n0,0\n0.1\n", "line 3: 1 numbers for 2 columns"),
        ("time_s,waist_yaw_joint\n0,0\n0.1,nan\n", "line 3: waist_yaw_joint is 'nan', no finite number"),
        ("time_s,waist_yaw_joint\n0,0\n0.1,left\n", "line 3: waist_yaw_joint is 'left'"),
        ("time_s,waist_yaw_joint\n0,0\n0.1,0\n0.2,0\n0.9,0\n1.0,0\n", "goes on by"),
        ("time_s,waist_yaw_joint\n0,0\n-0.1,0\n", "evenly spaced"),
        ("time_s,waist_yaw_joint\n0,0\n20,0\n", "0.05 moments a second; 5 … 1000 can be played"),
    ],
)
def test_a_file_that_is_none_is_named_with_the_line(write, text: str, message: str):
    with pytest.raises(BurnishError, match=message):
        load(write(text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(BurnishError, match=r"no\.csv: No such file"):
        load(tmp_path / "no.csv")


def moving(joint: str, *angles: float) -> Clip:
    return Clip("clip.csv", (joint,), 50.0, np.array(angles)[:, None])


def test_what_a_robot_cannot_follow_is_named_with_the_moment():
    with pytest.raises(UnknownNameError, match="'waist_jaw_joint'; did you mean 'waist_yaw_joint'"):
        moving("waist_jaw_joint", 0.0, 0.1).check(G1.limits)
    with pytest.raises(BurnishError, match=r"left_elbow_joint is 2.200 rad at 0.04 s, 0.106 rad above 2.0944; 1 of 3"):
        moving("left_elbow_joint", 2.0, 2.0, 2.2).check(G1.limits)
    with pytest.raises(BurnishError, match=r"waist_yaw_joint moves at 50.0 rad/s at 0.02 s, 24.4 rad/s above the 25.6"):
        moving("waist_yaw_joint", 0.0, 0.0, 1.0).check(G1.limits, SHARE)


def test_a_reference_begins_where_the_robot_stands_and_stays_where_the_clip_ends(write):
    reference = Reference(
        G1, str(write("time_s,waist_yaw_joint,left_knee_joint\n0,0.5,0.1\n0.1,0.5,0.1\n0.2,0.6,0.1\n"))
    )
    standing, size = np.array(G1.path[-1])[12:], len(G1.follows)
    told = reference.told(np.array([0.0, LEAD_IN_S, 60.0]))
    assert told.shape == (3, 2 * size) and next(iter(reference.units)) == "waist_yaw_joint_reference"
    np.testing.assert_allclose(told[0], np.concatenate([standing, np.zeros(size)]), atol=1e-6)
    np.testing.assert_allclose(told[1:, 0], [0.5, 0.6], atol=1e-3)
    np.testing.assert_allclose(told[:, 1:size], np.tile(standing[1:], (3, 1)), atol=1e-6)
    assert (told[2, size:] == 0).all()


def test_a_clip_begins_with_the_first_question():
    moments = iter([100.0, 100.0 + LEAD_IN_S + 1.6])
    following = Following(Reference(G1, "greet"), clock=lambda: next(moments))
    assert following()[0] == pytest.approx(G1.path[-1][12])
    assert following()[G1.follows.index("right_shoulder_pitch_joint")] == pytest.approx(-1.0, abs=1e-3)


def test_a_clip_that_nobody_knows_and_a_robot_without_arms_are_refused():
    with pytest.raises(UnknownNameError, match=r"\.csv.*'gret'; did you mean 'greet'"):
        Reference(G1, "gret")
    with pytest.raises(BurnishError, match="unitree-go2 has no joints that follow a clip"):
        Reference(GO2, "greet")
