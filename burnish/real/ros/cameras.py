"""The newest frame of each camera, and how old it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from burnish.contract import IMAGES, Contract
from burnish.errors import BurnishError
from burnish.real.ros import messages, qos
from burnish.real.ros.topics import ARROW

EXAMPLE = f"front{ARROW}/camera/front/image"


@dataclass
class _Frame:
    message: Image
    fresh_s: float


class Cameras:
    """Subscribes what a policy reads.

    A frame with the stamp of the one before is that one again: a camera that repeats its last frame is as blind as one
    that sends none. Ages are by this computer's clock, from when a frame came, so that clocks need not agree.
    """

    def __init__(
        self, node: Node, contract: Contract, topics: Mapping[str, str], timeout_s: float, group: CallbackGroup
    ) -> None:
        """Raises `BurnishError` if a camera that the policy reads has no topic, or a topic no camera."""
        self._node, self._timeout_s = node, timeout_s
        self._shapes = {key.removeprefix(IMAGES): contract.observation[key].shape for key in contract.images}
        if missing := sorted(self._shapes.keys() - topics.keys()):
            raise BurnishError(
                f"the policy sees by camera {missing[0]!r}, for which parameter cameras names no topic; "
                f"add {missing[0]}{ARROW}TOPIC"
            )
        if extra := sorted(topics.keys() - self._shapes.keys()):
            raise BurnishError(
                f"parameter cameras: the policy has no camera {extra[0]!r}; it has {sorted(self._shapes)}"
            )
        self._frames: dict[str, _Frame] = {}
        self._subscriptions: list[Subscription[Image]] = [
            node.create_subscription(Image, topic, partial(self._see, name), qos.SENSOR, callback_group=group)
            for name, topic in topics.items()
        ]

    def ages_s(self) -> dict[str, float]:
        """Per camera, since its newest frame came; infinite before the first."""
        now = time.monotonic()
        frames = {name: self._frames.get(name) for name in self._shapes}
        return {name: float("inf") if frame is None else now - frame.fresh_s for name, frame in frames.items()}

    def look(self) -> dict[str, np.ndarray]:
        """Contract key → (H, W, 3) uint8. Raises `BurnishError` naming a camera that is blind, and since when."""
        for name, age in self.ages_s().items():
            if age == float("inf"):
                raise BurnishError(f"camera {name!r} has sent no frame yet")
            if age > self._timeout_s:
                raise BurnishError(
                    f"camera {name!r} has sent no new frame for {age:.2f} s (at most {self._timeout_s:g})"
                )
        found = {}
        for name, shape in self._shapes.items():
            try:
                found[IMAGES + name] = messages.pixels(self._frames[name].message, shape)
            except BurnishError as error:
                raise BurnishError(f"camera {name!r}: {error}") from error
        return found

    def close(self) -> None:
        """Look no more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _see(self, name: str, message: Image) -> None:
        last, stamp = self._frames.get(name), message.header.stamp
        again = last is not None and (stamp.sec or stamp.nanosec) and last.message.header.stamp == stamp
        self._frames[name] = _Frame(message, last.fresh_s if again and last else time.monotonic())
