"""Any camera that the Linux kernel knows, through V4L2: uncompressed YUYV, stamped by the kernel."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from select import select
from typing import Any

import numpy as np

from burnish.real.cameras.base import CameraError, Shot

OLD_S = 10.0
"""A stamp that is further from now is of another clock than `time.monotonic`."""


@dataclass(frozen=True)
class Config:
    """Settings of a `V4l2Camera`."""

    device: str = "/dev/video0"
    width: int = 640
    height: int = 480
    rate_hz: float = 30.0


class V4l2Camera:
    """One capture device."""

    Config = Config

    def __init__(self, config: Config) -> None:
        try:
            from linuxpy.video.device import Device, VideoCapture
        except ImportError as error:
            raise CameraError("a V4L2 camera needs linuxpy: pip install 'burnish[cameras]'") from error
        self._config, self._stack = config, ExitStack()
        self.matrix = np.zeros((3, 3))
        try:
            device: Any = self._stack.enter_context(Device(config.device))
            capture: Any = VideoCapture(device)
            capture.set_format(config.width, config.height, "YUYV")
            capture.set_fps(config.rate_hz)
            got = capture.get_format()
            self._stack.enter_context(capture)
        except Exception as error:  # linuxpy has no error of its own for a device that is none
            self._stack.close()
            raise CameraError(f"{config.device}: {error}; `v4l2-ctl --list-devices` lists the cameras") from error
        if (got.width, got.height) != (config.width, config.height) or got.pixel_format.name != "YUYV":
            self._stack.close()
            raise CameraError(
                f"{config.device}: it gives {got.width}×{got.height} {got.pixel_format.name}, not "
                f"{config.width}×{config.height} YUYV; `v4l2-ctl --list-formats-ext` lists what it can"
            )
        self._handle, self._frames = device.fileno(), iter(capture)

    def read(self, timeout_s: float) -> Shot | None:
        """As `Camera` says."""
        try:
            if not select([self._handle], [], [], timeout_s)[0]:
                return None
            frame = next(self._frames)
        except (OSError, StopIteration) as error:
            raise CameraError(f"{self._config.device}: gone ({error}); is its cable in?") from error
        size = (self._config.height, self._config.width)
        now_s, time_s = time.monotonic(), float(frame.timestamp)
        return Shot(rgb(np.frombuffer(frame.data, np.uint8), *size), time_s if abs(now_s - time_s) < OLD_S else now_s)

    def close(self) -> None:
        """As `Camera` says."""
        self._stack.close()


def rgb(data: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 RGB of YUYV `data`: ITU-R BT.601, limited range, as cameras give it."""
    pairs = data.reshape(height, width // 2, 4).astype(np.int32)
    luma = 298 * (pairs[..., 0::2] - 16)
    u, v = pairs[..., 1:2] - 128, pairs[..., 3:4] - 128
    channels = (luma + 409 * v, luma - 100 * u - 208 * v, luma + 516 * u)
    out = np.stack([channel.reshape(height, width) for channel in channels], axis=-1)
    return ((out + 128) >> 8).clip(0, 255).astype(np.uint8)
