"""Where things are, by topics: a geometry_msgs/PoseStamped each, in the base's frame, as motion capture gives them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription

from burnish.real.ros import qos
from burnish.real.ros.topics import ARROW
from burnish.real.trackers.base import TrackerError

EXAMPLE = f"object{ARROW}/tracker/object/pose"


class Objects:
    """A `Tracker` that listens. Ages are by this computer's clock, from when a pose came."""

    def __init__(self, node: Node, topics: Mapping[str, str], timeout_s: float, group: CallbackGroup) -> None:
        """`topics`: name → topic."""
        self._node, self._topics, self._timeout_s = node, dict(topics), timeout_s
        self._seen: dict[str, tuple[float, np.ndarray]] = {}
        self._subscriptions: list[Subscription[PoseStamped]] = [
            node.create_subscription(PoseStamped, topic, partial(self._see, name), qos.SENSOR, callback_group=group)
            for name, topic in topics.items()
        ]

    def ages_s(self) -> dict[str, float]:
        """Per object, since its newest pose came; infinite before the first."""
        now, never = time.monotonic(), (-float("inf"), np.empty(0))
        return {name: now - self._seen.get(name, never)[0] for name in self._topics}

    def read(self) -> Mapping[str, np.ndarray]:
        """See `Tracker.read`."""
        for name, age in self.ages_s().items():
            if age == float("inf"):
                raise TrackerError(f"object {name!r}: no pose yet on {self._topics[name]}; is its tracker running?")
            if age > self._timeout_s:
                raise TrackerError(f"object {name!r}: no pose for {age:.2f} s (at most {self._timeout_s:g})")
        return {name: pose for name, (_, pose) in self._seen.items()}

    def close(self) -> None:
        """Listen no more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _see(self, name: str, message: PoseStamped) -> None:
        at, turn = message.pose.position, message.pose.orientation
        pose = np.array([at.x, at.y, at.z, turn.w, turn.x, turn.y, turn.z])
        if np.isfinite(pose).all():  # lost from sight; some systems say so in this way
            self._seen[name] = (time.monotonic(), pose)
