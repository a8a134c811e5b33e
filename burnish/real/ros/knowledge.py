"""`observation.environment_state` in a policy's node: what a task knows, from poses on topics and the robot's state."""

from __future__ import annotations

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, STATE, Contract
from burnish.errors import BurnishError
from burnish.real.ros.objects import EXAMPLE, Objects
from burnish.real.ros.parameters import value_of
from burnish.real.ros.topics import parse


class Knowledge:
    """Of the task and the objects that the node's parameters name."""

    def __init__(self, node: Node, contract: Contract, group: CallbackGroup) -> None:
        """Raises `BurnishError` for a policy that reads other numbers than the task's."""
        name = str(node.get_parameter("task").value)
        if not name:
            raise BurnishError(
                f"the policy reads {ENVIRONMENT_STATE!r}; say of which task: parameter task:=franka/lift"
            )
        if STATE not in contract.observation:
            raise BurnishError(f"{ENVIRONMENT_STATE!r} is made of {STATE!r} too, which the policy does not read")
        topics = parse("objects", list(node.get_parameter("objects").value), EXAMPLE)
        self._node, self._state = node, np.zeros(contract.observation[STATE].shape)
        self._objects = Objects(node, topics, float(node.get_parameter("object_timeout").value), group)
        tracked = registry.tracked_tasks.load(name.partition("/")[0])
        self._task = tracked(name, self._objects, lambda: self._state)
        expected, known = contract.observation[ENVIRONMENT_STATE].names, tuple(self._task.task.names)
        if expected != known:
            self.close()
            raise BurnishError(f"the policy reads {list(expected)} of its task, {name} knows {list(known)}")

    def know(self, state: np.ndarray) -> np.ndarray:
        """(K,), the robot's `observation.state` being `state`. Raises `TrackerError` if something is out of sight."""
        self._state = np.asarray(state, float)
        target = value_of(self._node, "target")
        if self._task.target.size:
            if target is None or len(target) != self._task.target.size:
                found = 0 if target is None else len(target)
                raise BurnishError(f"parameter target has {found} numbers, the task needs {self._task.target.size}")
            self._task.target = np.array(target, float)
        return self._task.know()

    def ages_s(self) -> dict[str, float]:
        """Per object, since its newest pose came."""
        return self._objects.ages_s()

    def close(self) -> None:
        """Listen no more."""
        self._objects.close()
