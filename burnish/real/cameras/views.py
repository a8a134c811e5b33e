"""The cameras of a robot that is moved without ROS, each looked at in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from burnish.contract import IMAGES, Contract
from burnish.errors import BurnishError
from burnish.pictures import square
from burnish.real.cameras.base import CameraError, Shot, load_camera
from burnish.real.cameras.needed import needed
from burnish.real.cameras.watch import Watch, WatchConfig
from burnish.real.newest import Newest
from burnish.real.words import Words

WORDS = Words("--cameras", "=", "driver:device", "front=v4l2:/dev/video0")
FIRST_S = 6.0
"""A camera that shows nothing for so long is not there."""


class Views:
    """For `with`: inside it, every camera sees."""

    def __init__(self, words: Iterable[str], contract: Contract, timeout_s: float) -> None:
        """Nothing is opened yet.

        Args:
            words: `NAME=DRIVER` or `NAME=DRIVER:DEVICE` each.
            timeout_s: a camera without a new picture for so long is blind.
        Raises `BurnishError` for a wrong word, an unknown driver, and if these are not the cameras that the policy of
        `contract` reads.
        """
        self._places = WORDS.parse(words)
        self._newest = Newest[Shot]("camera", "frame", needed(contract, self._places, WORDS), timeout_s)
        self._shapes = {name: contract.observation[IMAGES + name].shape for name in self._newest.names}
        self._watches = {name: _watch(place) for name, place in self._places.items()}
        self._threads = [threading.Thread(target=self._see, args=(name,), daemon=True) for name in self._watches]
        self._ended = threading.Event()

    @property
    def senses(self) -> dict[str, Callable[[], np.ndarray]]:
        """Contract key → its newest picture, (H, W, 3) uint8, cut and scaled as in a converted recording."""
        return {IMAGES + name: partial(self.look, name) for name in self._newest.names}

    def look(self, name: str) -> np.ndarray:
        """(H, W, 3) uint8. Raises `BurnishError` naming a camera that is blind, since when, and what is wrong."""
        try:
            shot = self._newest.look(name)
        except BurnishError as error:
            fault = self._watches[name].fault
            raise BurnishError(f"{error}{f': {fault}' if fault else ''}") from error
        (height, width, _), here = self._shapes[name], shot.pixels.shape
        if height == width:
            return square(shot.pixels, height)
        if here[:2] != (height, width):
            raise BurnishError(
                f"camera {name!r} gives {here[1]} × {here[0]} pixels, the policy reads {width} × {height}; pictures "
                "that are no square are not cut"
            )
        return shot.pixels

    def __enter__(self) -> Views:
        for thread in self._threads:
            thread.start()
        try:
            self._await_first()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        for watch in self._watches.values():
            watch.close()

    def _await_first(self) -> None:
        """Raises `CameraError` for a camera that shows nothing, `BurnishError` for pictures that do not fit."""
        end = time.monotonic() + FIRST_S
        while blind := [name for name in self._newest.names if self._newest.last(name) is None]:
            if time.monotonic() > end:
                name = blind[0]
                raise CameraError(f"camera {name!r} ({self._places[name]}): {self._watches[name].fault}")
            time.sleep(0.02)
        for name in self._newest.names:
            self.look(name)

    def _see(self, name: str) -> None:
        watch = self._watches[name]
        while not self._ended.is_set():
            shot = watch.look()
            if shot is not None:
                self._newest.see(name, shot)


def _watch(place: str) -> Watch:
    """Of `DRIVER` or `DRIVER:DEVICE`. Raises `UnknownNameError` with the closest driver."""
    driver, _, device = place.partition(":")
    kind = load_camera(driver).Config
    return Watch(driver, kind(device=device) if device else kind(), WatchConfig())
