"""What every camera gives: pictures, and when they were taken."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from burnish import registry
from burnish.errors import BurnishError


class CameraError(BurnishError):
    """A camera cannot be opened, or is gone; the message says what to do."""


class Shot(NamedTuple):
    """A picture.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        time_s: when it was taken, of `time.monotonic`.
    """

    pixels: np.ndarray
    time_s: float


class Camera(Protocol):
    """An open camera.

    Attributes:
        matrix: (3, 3) pinhole matrix, pixels; all zeros where it is not known.
    """

    Config: ClassVar[type]
    """A frozen dataclass whose fields are `device`, `width`, `height`, px, and `rate_hz`; defaults that work."""
    matrix: np.ndarray

    def __init__(self, config: Any) -> None:
        """Open it. Raises `CameraError` if that cannot be."""
        ...

    def read(self, timeout_s: float) -> Shot | None:
        """Wait for the next picture; None after `timeout_s`. Raises `CameraError` when the camera is gone."""
        ...

    def close(self) -> None:
        """Let go of it. Safe to call twice."""
        ...


def load_camera(name: str) -> type[Camera]:
    """The driver registered under `name`. Raises `UnknownNameError` with the closest match."""
    return registry.cameras.load(name)
