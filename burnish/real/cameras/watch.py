"""A camera that is watched: silence, a frozen picture or a pulled cable is noticed, said, and mended if it can be."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from burnish.real.cameras.base import CameraError, Shot, load_camera

RETRY_S = 1.0
READ_S = 0.2
"""How long one look lasts at most, so that its owner can end."""


@dataclass(frozen=True)
class WatchConfig:
    """When a camera is not believed any more."""

    frozen_s: float = 1.0
    """The same picture, bit for bit, for so long: a live sensor always has noise."""
    silent_s: float = 1.0
    """No picture for so long."""


class Watch:
    """Opens the camera, and again when it fails; for one thread.

    Attributes:
        fault: what is wrong; "" while pictures come.
        matrix: (3, 3) of the open camera.
        shots: pictures that were believed.
    """

    def __init__(self, name: str, config: Any, watch: WatchConfig) -> None:
        """`name`: of a registered camera; `config`: its `Config`. Nothing is opened yet."""
        self._kind, self._config, self._watch = load_camera(name), config, watch
        self._camera: Any = None
        self._before: np.ndarray | None = None
        self._changed_s = self._tried_s = -np.inf
        self.fault, self.matrix, self.shots = "not open yet", np.zeros((3, 3)), 0

    def look(self) -> Shot | None:
        """The next picture, or None when there is none that can be believed; takes at most about `READ_S`."""
        try:
            camera = self._opened()
            shot = camera.read(READ_S) if camera is not None else None
        except CameraError as error:
            self._fail(str(error))
            return None
        except Exception as error:  # a driver's own, as of a picture that came in part; the next one may be whole
            self._fail(repr(error))
            return None
        now_s = time.monotonic()
        if shot is None:
            if camera is not None and now_s - self._changed_s > self._watch.silent_s:
                self._fail(f"no picture for {self._watch.silent_s:g} s")
            return None
        if self._before is not None and not np.array_equal(shot.pixels, self._before):
            self._changed_s, self.fault = now_s, ""  # that is life: of one picture nobody can say
        elif now_s - self._changed_s > self._watch.frozen_s:
            self._fail(f"frozen: the same picture for {self._watch.frozen_s:g} s")
        self._before = shot.pixels
        if self.fault:
            return None
        self.shots += 1
        return shot

    def close(self) -> None:
        """Let go of the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            with suppress(CameraError):
                camera.close()

    def _opened(self) -> Any:
        """The camera; None while it is too early to try again."""
        now_s = time.monotonic()
        if self._camera is None:
            if now_s - self._tried_s < RETRY_S:
                time.sleep(READ_S / 4)
                return None
            self._tried_s = now_s
            self._camera = self._kind(self._config)
            self.matrix, self._changed_s, self._before = self._camera.matrix, time.monotonic(), None
        return self._camera

    def _fail(self, fault: str) -> None:
        """Close, so that the next look opens anew."""
        self.fault = fault
        self.close()
