"""The cameras that a policy's node subscribes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from burnish.contract import IMAGES, Contract
from burnish.errors import BurnishError
from burnish.real.cameras.needed import needed
from burnish.real.newest import Newest
from burnish.real.ros import messages, qos
from burnish.real.ros.topics import CAMERAS


class Cameras:
    """Subscribes what a policy reads.

    A frame with the stamp of the one before is that one again: a camera that repeats its last frame is as blind as one
    that sends none.
    """

    def __init__(
        self, node: Node, contract: Contract, given: Mapping[str, str], timeout_s: float, group: CallbackGroup
    ) -> None:
        """Raises `BurnishError` if a camera that the policy reads has no topic, or a topic no camera.

        Args:
            given: camera → topic.
        """
        self._node = node
        self._newest = Newest[Image]("camera", "frame", needed(contract, given, CAMERAS), timeout_s)
        self._shapes = {name: contract.observation[IMAGES + name].shape for name in self._newest.names}
        self._subscriptions: list[Subscription[Image]] = [
            node.create_subscription(Image, topic, partial(self._see, name), qos.SENSOR, callback_group=group)
            for name, topic in given.items()
        ]

    def ages_s(self) -> dict[str, float]:
        """Per camera, since its newest frame came; infinite before the first."""
        return self._newest.ages_s()

    def look(self) -> dict[str, np.ndarray]:
        """Contract key → (H, W, 3) uint8. Raises `BurnishError` naming a camera that is blind, and since when."""
        frames = {name: self._newest.look(name) for name in self._shapes}
        found = {}
        for name, shape in self._shapes.items():
            try:
                found[IMAGES + name] = messages.pixels(frames[name], shape)
            except BurnishError as error:
                raise BurnishError(f"camera {name!r}: {error}") from error
        return found

    def close(self) -> None:
        """Look no more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _see(self, name: str, message: Image) -> None:
        last, stamp = self._newest.last(name), message.header.stamp
        again = last is not None and (stamp.sec or stamp.nanosec) and last.header.stamp == stamp
        self._newest.see(name, message, fresh=not again)
