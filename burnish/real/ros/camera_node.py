"""Publishes one camera: `camera/NAME/image` (rgb8, stamped when it was taken), `camera/NAME/camera_info`, and how it
is on `diagnostics`. A picture that cannot be believed is not published: silence is noticed, a frozen picture is not.

`python -m burnish.real.ros.camera_node --ros-args -p name:=wrist -p driver:=v4l2 -p device:=/dev/video0`
"""

from __future__ import annotations

import array
import threading
import time
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from burnish.real.cameras.base import Shot, load_camera
from burnish.real.cameras.watch import Watch, WatchConfig
from burnish.real.ros.nodes import ERROR, OK, Holder, Parameter, declare, run, status

PARAMETERS = (
    Parameter("name", "wrist", "of the camera, as in observation.images.NAME"),
    Parameter("driver", "simulated", "v4l2, realsense or simulated"),
    Parameter("device", "", "device file or serial number; empty for the driver's default"),
    Parameter("width", 0, "px; 0 for the driver's default", 0, 8192),
    Parameter("height", 0, "px; 0 for the driver's default", 0, 8192),
    Parameter("rate_hz", 30.0, "pictures per second", 0.1, 1000.0),
    Parameter("frame_id", "", "optical frame; empty for NAME_optical_frame"),
    Parameter("frozen_s", 1.0, "the same picture for so long is not believed", 0.05, 60.0),
    Parameter("silent_s", 1.0, "after so long without a picture the camera is opened anew", 0.05, 60.0),
)
TELL_S = 0.5


class CameraNode(Holder):
    """Looks in a thread of its own."""

    def __init__(self, **ros: Any) -> None:
        super().__init__("camera", **ros)
        given = declare(self, PARAMETERS)
        self._name, config = given["name"], load_camera(given["driver"]).Config()
        wanted = {key: given[key] for key in ("device", "width", "height", "rate_hz") if given[key]}
        self._frame = given["frame_id"] or f"{self._name}_optical_frame"
        self._watch = Watch(
            given["driver"], replace(config, **wanted), WatchConfig(given["frozen_s"], given["silent_s"])
        )
        self._images = self.create_publisher(Image, f"camera/{self._name}/image", qos_profile_sensor_data)
        self._infos = self.create_publisher(CameraInfo, f"camera/{self._name}/camera_info", qos_profile_sensor_data)
        self._health = self.create_publisher(DiagnosticArray, "diagnostics", 10)
        self.create_timer(TELL_S, self._tell)
        self._said, self._ended = "", threading.Event()
        self._thread = threading.Thread(target=self._work, name="camera", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the camera."""
        self._ended.set()
        self._thread.join(5.0)
        self._watch.close()

    def _work(self) -> None:
        while not self._ended.is_set():
            shot = self._watch.look()
            if shot is not None and not self._ended.is_set():
                self._publish(shot)

    def _publish(self, shot: Shot) -> None:
        height, width, _ = shot.pixels.shape
        image = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        age_ns = round((time.monotonic() - shot.time_s) * 1e9)
        stamp_ns = self.get_clock().now().nanoseconds - age_ns
        image.header.stamp.sec, image.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        image.header.frame_id = self._frame
        image.data = array.array("B", shot.pixels.tobytes())  # many times quicker than a list
        info = CameraInfo(header=image.header, height=height, width=width)
        info.k = self._watch.matrix.ravel()
        self._images.publish(image)
        self._infos.publish(info)

    def _tell(self) -> None:
        fault = self._watch.fault
        if fault != self._said:
            self._said = fault
            self.get_logger().warning(f"camera {self._name}: {fault or 'pictures come'}")
        level, message = (ERROR, fault) if fault else (OK, "pictures come")
        values = {"pictures": self._watch.shots}
        self._health.publish(status(self, f"camera {self._name}", level, message, values))


def main() -> None:
    """Run until stopped."""
    run(CameraNode)


if __name__ == "__main__":
    main()
