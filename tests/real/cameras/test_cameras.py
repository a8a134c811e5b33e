"""Cameras: colours, what is missing is named, and a picture that does not change is not believed."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from burnish.real.cameras import watch as watch_module
from burnish.real.cameras.base import CameraError, load_camera
from burnish.real.cameras.simulated import Config, SimulatedCamera
from burnish.real.cameras.v4l2 import rgb
from burnish.real.cameras.watch import Watch, WatchConfig


def test_yuyv_is_read_as_colours():
    pairs = {(235, 128, 235, 128): (255, 255, 255), (16, 128, 16, 128): (0, 0, 0), (81, 90, 81, 240): (255, 0, 0)}
    for data, colour in pairs.items():
        pixels = rgb(np.array(data * 2, np.uint8), 2, 2)
        assert np.abs(pixels.astype(int) - colour).max() <= 2


def test_a_camera_that_is_not_there_is_named(tmp_path):
    camera = load_camera("v4l2")
    with pytest.raises(CameraError, match=r"video7.*v4l2-ctl"):
        camera(camera.Config(device=str(tmp_path / "video7")))


@pytest.mark.skipif(importlib.util.find_spec("pyrealsense2") is not None, reason="the vendor's library is there")
def test_a_missing_library_is_named():
    camera = load_camera("realsense")
    with pytest.raises(CameraError, match=r"pip install 'burnish\[realsense\]'"):
        camera(camera.Config())


def test_a_picture_that_came_in_part_is_one_fault_and_no_end(monkeypatch):
    read, parts = SimulatedCamera.read, iter([True, False])

    def short(camera: SimulatedCamera, timeout_s: float):
        return rgb(np.zeros(5, np.uint8), 2, 2) if next(parts, False) else read(camera, timeout_s)

    monkeypatch.setattr(SimulatedCamera, "read", short)
    monkeypatch.setattr(watch_module, "RETRY_S", 0.0)
    watch = Watch("simulated", Config(rate_hz=100.0), WatchConfig())
    assert watch.look() is None and "cannot reshape array of size 5" in watch.fault
    shots = [watch.look() for _ in range(5)]
    assert shots[-1] is not None and not watch.fault
    watch.close()


def test_a_frozen_picture_is_not_believed_and_life_is(tmp_path):
    switch = tmp_path / "device"
    watch = Watch("simulated", Config(str(switch), rate_hz=100.0), WatchConfig(frozen_s=0.2))
    shots = [watch.look() for _ in range(20)]
    assert shots[0] is None and watch.shots == 19 and not watch.fault
    switch.write_text("freeze")
    believed = [watch.look() for _ in range(150)]
    assert "frozen" in watch.fault
    assert not any(believed[-50:])
    switch.unlink()
    while watch.fault:
        watch.look()
    assert watch.look() is not None
    watch.close()
