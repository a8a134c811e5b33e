"""`observation.environment_state` in a policy's node: what a task knows, from poses on topics and the robot's state."""

from __future__ import annotations

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, STATE, Contract
from burnish.errors import BurnishError
from burnish.real.ros.objects import Objects
from burnish.real.ros.parameters import value_of
from burnish.real.ros.topics import OBJECTS


class Knowledge:
    """Of the task and the objects that the node's parameters name."""

    def __init__(self, node: Node, contract: Contract, group: CallbackGroup) -> None:
        """Raises `BurnishError` for a policy that reads other numbers than the task's."""
        name = str(node.get_parameter("task").value)
        if STATE not in contract.observation:
            raise BurnishError(f"{ENVIRONMENT_STATE!r} is made of {STATE!r} too, which the policy does not read")
        topics = OBJECTS.parse(node.get_parameter("objects").value)
        self._node, self._state = node, np.zeros(contract.observation[STATE].shape)
        self._objects = Objects(node, topics, float(node.get_parameter("object_timeout").value), group)
        self._task = registry.tracked_tasks.load(name.partition("/")[0])(name, self._objects, lambda: self._state)
        try:
            self._task.serve(contract)
        except BurnishError:
            self.close()
            raise

    def know(self, state: np.ndarray) -> np.ndarray:
        """(K,), the robot's `observation.state` being `state`. Raises `TrackerError` if something is out of sight."""
        self._state = np.asarray(state, float)
        self._task.aim(value_of(self._node, "target") or ())
        return self._task.know()

    def ages_s(self) -> dict[str, float]:
        """Per object, since its newest pose came."""
        return self._objects.ages_s()

    def close(self) -> None:
        """Listen no more."""
        self._objects.close()
