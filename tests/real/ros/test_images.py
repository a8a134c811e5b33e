"""Images through DDS: the profile that carries them, and what of a frame a policy sees."""

from __future__ import annotations

import os
import subprocess
import sys
from copy import copy
from pathlib import Path

import numpy as np
import pytest
from sensor_msgs.msg import Image

from burnish.errors import BurnishError
from burnish.real.ros import messages, profile, qos
from burnish.real.ros.topics import CAMERAS
from tests.real.ros.conftest import Probe, until

FRAMES, RATE_HZ = 90, 30


def test_three_seconds_of_images_arrive_whole(probe: Probe) -> None:
    seen: list[int] = []
    patient = copy(qos.SENSOR)
    patient.depth = 8  # the test is of the line, not of how soon this process gets its turn
    subscription = probe.node.create_subscription(Image, "/film", lambda m: seen.append(m.header.stamp.sec), patient)
    film = Path(__file__).with_name("filming.py")
    try:
        subprocess.run([sys.executable, str(film), str(FRAMES), str(RATE_HZ)], check=True, timeout=90)
        until(lambda: len(seen) == FRAMES, 2.0)
    finally:
        probe.node.destroy_subscription(subscription)
    assert seen == list(range(FRAMES))


def test_a_profile_of_the_users_own_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(profile.PROFILES[0], "mine.xml")
    profile.use_profile()
    assert os.environ[profile.PROFILES[0]] == "mine.xml"
    monkeypatch.delenv(profile.PROFILES[0])
    profile.use_profile()
    assert (
        Path(os.environ[profile.PROFILES[0]]).name == "fastdds.xml" and Path(os.environ[profile.PROFILES[0]]).exists()
    )


def image(encoding: str, channels: int, extra: int = 0) -> Image:
    data = np.arange(4 * (6 * channels + extra), dtype=np.uint8)
    return Image(height=4, width=6, encoding=encoding, step=6 * channels + extra, data=data.tobytes())


def test_every_encoding_is_red_first() -> None:
    for encoding, first in (("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("mono8", [0, 0, 0])):
        found = messages.pixels(image(encoding, messages.WIDTHS[encoding]), (4, 6, 3))
        assert found.shape == (4, 6, 3) and found[0, 0].tolist() == first
    padded = messages.pixels(image("rgb8", 3, extra=2), (4, 6, 3))
    assert padded[1, 0].tolist() == [20, 21, 22]


def test_what_is_no_image_of_that_size_is_refused() -> None:
    with pytest.raises(BurnishError, match="6 × 4 pixels, the policy reads 128 × 128"):
        messages.pixels(image("rgb8", 3), (128, 128, 3))
    with pytest.raises(BurnishError, match="encoding '16UC1'"):
        messages.pixels(image("16UC1", 2), (4, 6, 3))
    short = image("rgb8", 3)
    short.data = short.data[:-1]
    with pytest.raises(BurnishError, match="71 bytes for 4 rows of 18"):
        messages.pixels(short, (4, 6, 3))


def test_cameras_are_named_with_their_topics() -> None:
    assert CAMERAS.parse(["front:=/a", ""]) == {"front": "/a"}
    with pytest.raises(BurnishError, match="'front=/a'; write NAME:=TOPIC"):
        CAMERAS.parse(["front=/a"])
