"""Intel RealSense colour cameras, through the vendor's library."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from burnish.real.cameras.base import CameraError, Shot


@dataclass(frozen=True)
class Config:
    """Settings of a `RealsenseCamera`."""

    device: str = ""
    """Serial number; empty for the only one."""
    width: int = 640
    height: int = 480
    rate_hz: float = 30.0


class RealsenseCamera:
    """One camera's colour stream, with the factory's calibration."""

    Config = Config

    def __init__(self, config: Config) -> None:
        try:
            vendor: Any = importlib.import_module("pyrealsense2")
        except ImportError as error:
            raise CameraError("a RealSense camera needs pyrealsense2: pip install 'burnish[realsense]'") from error
        self._name = f"RealSense {config.device}".strip()
        self._pipeline, wanted = vendor.pipeline(), vendor.config()
        if config.device:
            wanted.enable_device(config.device)
        rate = round(config.rate_hz)
        wanted.enable_stream(vendor.stream.color, config.width, config.height, vendor.format.rgb8, rate)
        try:
            profile = self._pipeline.start(wanted)
        except RuntimeError as error:
            raise CameraError(f"{self._name}: {error}; `rs-enumerate-devices` lists what is connected") from error
        self._open = True
        lens = profile.get_stream(vendor.stream.color).as_video_stream_profile().get_intrinsics()
        self.matrix = np.array([[lens.fx, 0, lens.ppx], [0, lens.fy, lens.ppy], [0, 0, 1]])

    def read(self, timeout_s: float) -> Shot | None:
        """As `Camera` says. The stamp is of the host's clock: the library's global time."""
        try:
            there, frames = self._pipeline.try_wait_for_frames(round(timeout_s * 1000))
        except RuntimeError as error:
            raise CameraError(f"{self._name}: gone ({error}); is its cable in?") from error
        if not there:
            return None
        frame, now_s = frames.get_color_frame(), time.monotonic()
        age_s = time.time() - frame.get_timestamp() * 1e-3
        return Shot(np.asanyarray(frame.get_data()).copy(), now_s - age_s if 0.0 <= age_s < 1.0 else now_s)

    def close(self) -> None:
        """As `Camera` says."""
        if self._open:
            self._open = False
            self._pipeline.stop()
