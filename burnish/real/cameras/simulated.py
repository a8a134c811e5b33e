"""A camera without a camera: a bright bar that moves to the right, one pixel a frame. It can freeze and vanish."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from burnish.real.cameras.base import CameraError, Shot


@dataclass(frozen=True)
class Config:
    """Settings of a `SimulatedCamera`."""

    device: str = ""
    """A file whose word, if it is there, is a fault: "freeze" or "vanish"."""
    width: int = 64
    height: int = 48
    rate_hz: float = 30.0


class SimulatedCamera:
    """Frame k, counted on `time.monotonic`, is the same for everybody."""

    Config = Config

    def __init__(self, config: Config) -> None:
        self._config, self._shown = config, -1
        self._check()
        focal = float(config.width)
        self.matrix = np.array([[focal, 0, config.width / 2], [0, focal, config.height / 2], [0, 0, 1]])

    def read(self, timeout_s: float) -> Shot | None:
        """Wait for the next frame."""
        self._check()
        rate, now_s = self._config.rate_hz, time.monotonic()
        number = int(now_s * rate) + 1
        if number / rate - now_s > timeout_s:
            time.sleep(timeout_s)
            return None
        time.sleep(number / rate - now_s)
        if self._fault() != "freeze" or self._shown < 0:
            self._shown = number
        return Shot(pattern(self._shown, self._config.width, self._config.height), number / rate)

    def close(self) -> None:
        """Nothing is held."""

    def _fault(self) -> str:
        path = Path(self._config.device)
        return path.read_text().strip() if self._config.device and path.is_file() else ""

    def _check(self) -> None:
        if self._fault() == "vanish":
            raise CameraError("the simulated camera is gone; take the word out of its device file")


def pattern(number: int, width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 of frame `number`."""
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[:, number % width] = (255, 200, number // width % 256)
    return pixels
