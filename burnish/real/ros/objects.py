"""Where things are, by topics: a geometry_msgs/PoseStamped each, in the base's frame, as motion capture gives them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription

from burnish.errors import BurnishError
from burnish.real.newest import Newest
from burnish.real.ros import qos
from burnish.real.trackers.base import TrackerError


class Objects:
    """A `Tracker` that listens. Ages are by this computer's clock, from when a pose came."""

    def __init__(self, node: Node, topics: Mapping[str, str], timeout_s: float, group: CallbackGroup) -> None:
        """`topics`: name → topic."""
        self._node, self._topics = node, dict(topics)
        self._newest = Newest[np.ndarray]("object", "pose", topics, timeout_s)
        self._subscriptions: list[Subscription[PoseStamped]] = [
            node.create_subscription(PoseStamped, topic, partial(self._see, name), qos.SENSOR, callback_group=group)
            for name, topic in topics.items()
        ]

    def ages_s(self) -> dict[str, float]:
        """Per object, since its newest pose came; infinite before the first."""
        return self._newest.ages_s()

    def read(self) -> Mapping[str, np.ndarray]:
        """See `Tracker.read`."""
        return {name: self._look(name, topic) for name, topic in self._topics.items()}

    def close(self) -> None:
        """Listen no more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _look(self, name: str, topic: str) -> np.ndarray:
        try:
            return self._newest.look(name)
        except BurnishError as error:
            raise TrackerError(f"{error}, on {topic}; is its tracker running, and sees it?") from error

    def _see(self, name: str, message: PoseStamped) -> None:
        at, turn = message.pose.position, message.pose.orientation
        pose = np.array([at.x, at.y, at.z, turn.w, turn.x, turn.y, turn.z])
        if np.isfinite(pose).all():  # lost from sight; some systems say so in this way
            self._newest.see(name, pose)
