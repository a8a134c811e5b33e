"""A camera's node: pictures with the time they were taken; a frozen or vanished camera is silent and said."""

from __future__ import annotations

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from burnish.real.cameras.simulated import pattern
from tests.real.ros.bench import bench


@pytest.fixture
def graph(tmp_path):
    with bench(tmp_path) as made:
        yield made


def test_pictures_come_stamped_and_stop_while_they_cannot_be_believed(graph, tmp_path):
    switch = tmp_path / "device"
    images = graph.hear(Image, "camera/wrist/image", qos_profile_sensor_data)
    infos = graph.hear(CameraInfo, "camera/wrist/camera_info", qos_profile_sensor_data)
    told = graph.hear(DiagnosticArray, "diagnostics")
    graph.start("camera_node", device=switch, frozen_s=0.4)
    assert graph.until(lambda: len(images) > 10 and infos), graph.log("camera_node")
    last = images[-1]
    stamp_s = last.header.stamp.sec + last.header.stamp.nanosec * 1e-9
    assert 0 <= time.time() - stamp_s < 1.0
    pixels = np.array(last.data, np.uint8).reshape(last.height, last.width, 3)
    column = int(pixels[0, :, 0].argmax())
    assert np.array_equal(pixels[..., 0], pattern(column, 64, 48)[..., 0])
    assert infos[-1].k[0] == 64 and last.header.frame_id == "wrist_optical_frame"

    for fault, line in (("freeze", "frozen"), ("vanish", "gone")):
        switch.write_text(fault)
        told.clear()
        assert graph.until(lambda line=line: told and _level(told[-1]) == 2 and line in told[-1].status[0].message)
        images.clear()
        assert not graph.until(lambda: images, 1.0)
        switch.unlink()
        assert graph.until(lambda: len(images) > 3), "it does not come back"
        assert graph.until(lambda: _level(told[-1]) == 0)


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"driver": "relsense"}, "unknown camera 'relsense'; did you mean 'realsense'?"),
        ({"rate_hz": "-1.0"}, "parameter rate_hz"),
    ],
)
def test_a_wrong_parameter_is_one_line(graph, parameters, line):
    process = graph.start("camera_node", **parameters)
    assert process.wait(60) == 2
    assert line in graph.log("camera_node")
    assert "Traceback" not in graph.log("camera_node")


def _level(told) -> int:
    return told.status[0].level[0]
