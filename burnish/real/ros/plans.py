"""Plans from a policy's node: an observation goes out, and the chunk that carries its mark comes back."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from rclpy.event_handler import SubscriptionEventCallbacks
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from burnish.contract import Contract
from burnish.errors import BurnishError, ContractError, ServerError
from burnish.real.planning import TIMEOUT_S
from burnish.real.ros import messages, qos
from burnish.real.ros.description import Description
from burnish.real.ros.messages import Mark
from burnish.real.ros.node import ManagedNode

RENEW_S = 2.0
LOOK_S = 0.1


class _Request:
    """One plan that is waited for."""

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.answer: np.ndarray | BurnishError | None = None


class RosPlans:
    """`burnish.real.session.Plans` over topics. The policy's node itself looks at cameras and instruction.

    Attributes:
        alive: policy nodes that give signs of life.
        refused: chunks that were not played, by reason.
    """

    contract: Contract | None = None
    realtime = False

    def __init__(self, node: ManagedNode) -> None:
        self._node, self._changed = node, threading.Condition()
        self._told: Description | None = None
        self._agreed: Description | None = None
        self._request: _Request | None = None
        # Milliseconds since 1970: an answer to an earlier life of this node is old, whenever it comes.
        self._slot = time.time_ns() // 1_000_000
        self.alive, self.refused = 0, Counter[str]()
        signs = SubscriptionEventCallbacks(liveliness=lambda event: self._lives(event.alive_count))
        group = node.inbox
        self._observation = node.create_publisher(JointState, "observation", qos.REQUEST)
        self._under_way = node.create_publisher(JointTrajectory, "under_way", qos.REQUEST)
        node.create_subscription(String, "policy", self._describe, qos.LATCHED, callback_group=group)
        node.create_subscription(
            JointTrajectory, "chunk", self._receive, qos.CHUNK, callback_group=group, event_callbacks=signs
        )

    def agree(self, timeout_s: float) -> Description:
        """Wait for a policy, and keep to it from now on. Raises `BurnishError` if there is none."""
        self._agreed = self._find(timeout_s)
        self.contract = self._agreed.contract.only(self._agreed.asks)
        self.realtime = self._agreed.realtime
        return self._agreed

    def renew(self) -> None:
        """Raises `BurnishError` if no policy lives, or if it is another one than was agreed on."""
        found, agreed = self._find(RENEW_S), self._agreed
        if found != agreed:
            assert agreed is not None
            raise ContractError(
                f"policy {found.policy!r} took the place of {agreed.policy!r}, and has another contract, horizon or "
                "replan; clean up and configure the robot's node again"
            )

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None = None, frozen: int = 0) -> np.ndarray:
        """(H, A) from one observation; see `burnish.real.session.Plans`. Raises `ServerError` if none comes."""
        agreed = self._agreed
        assert agreed is not None
        self._slot += 1
        request = self._request = _Request(self._slot)
        mark = Mark(self._slot, None if previous is None else frozen)
        self._publish(mark, obs, previous, agreed)
        begin = time.monotonic()
        while request.answer is None:
            with self._changed:
                self._changed.wait_for(lambda: request.answer is not None, LOOK_S)
            if request.answer is None and not self.alive:
                raise ServerError(f"the policy's node is gone: no sign of life for {qos.LEASE_S:g} s")
            if request.answer is None and time.monotonic() - begin > TIMEOUT_S:
                raise ServerError(
                    f"the policy's node lives, but plans nothing for {TIMEOUT_S:g} s; see its diagnostics"
                )
        if isinstance(request.answer, BurnishError):
            raise request.answer
        return request.answer

    def show(self, obs: Mapping[str, np.ndarray]) -> None:
        """Let the policy see what happens while somebody else drives; nobody waits for its answer."""
        if self._agreed is not None:
            self._slot += 1
            self._request = None
            self._publish(Mark(self._slot, None), obs, None, self._agreed)

    def _publish(self, mark: Mark, obs: Mapping[str, np.ndarray], previous: np.ndarray | None, to: Description) -> None:
        now, action = self._node.get_clock().now().to_msg(), to.contract.action
        if previous is not None:
            self._under_way.publish(messages.trajectory(mark, action.names, previous, action.rate_hz, now))
        self._observation.publish(messages.observation(mark, to.told, obs, now))

    def _find(self, timeout_s: float) -> Description:
        node, end = self._node, time.monotonic() + timeout_s
        while (told := self._told) is None or not self.alive:
            if node.stopping.is_set():
                raise BurnishError("this node is to end")
            if time.monotonic() > end:
                topic = node.resolve_topic_name("policy")
                raise ServerError(
                    f"no policy tells its contract on {topic} ({timeout_s:g} s); start a policy_node there"
                )
            time.sleep(0.02)
        return told

    def _receive(self, message: JointTrajectory) -> None:
        try:
            mark = Mark.parse(message.header.frame_id)
        except BurnishError as error:
            self.refuse("unmarked", str(error))
            return
        request, agreed = self._request, self._agreed
        if request is None and mark.slot == self._slot:
            return  # what it was only shown
        if request is None or agreed is None or mark.slot != request.slot:
            self.refuse("old", f"a chunk for slot {mark.slot}, {'none' if request is None else request.slot} is wanted")
        elif request.answer is not None:
            self.refuse("duplicate", f"a second chunk for slot {mark.slot}")
        else:
            with self._changed:
                request.answer = _checked(message, agreed, lambda why: self.refuse("misfit", why))
                self._changed.notify_all()

    def refuse(self, reason: str, why: str) -> None:
        """Count and tell a chunk that is not played."""
        self.refused[reason] += 1
        self._node.get_logger().warning(f"chunk refused: {why}", throttle_duration_sec=1.0)

    def _describe(self, message: String) -> None:
        try:
            self._told = Description.from_json(message.data)
        except BurnishError as error:
            self._node.get_logger().error(str(error))

    def _lives(self, alive: int) -> None:
        self.alive = alive


def _checked(message: JointTrajectory, agreed: Description, refuse: Callable[[str], None]) -> np.ndarray | BurnishError:
    """The actions, or what is wrong with them: the plan that was asked for is none then."""
    try:
        actions = messages.actions(message, agreed.contract.action.names)
        if agreed.horizon is not None and len(actions) != agreed.horizon:
            raise BurnishError(f"a chunk of {len(actions)} actions; the policy said {agreed.horizon}")
    except BurnishError as error:
        refuse(str(error))
        return error
    return actions
