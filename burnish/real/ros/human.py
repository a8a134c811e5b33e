"""Takeover: while a human drives, the plans are his, through the same player and the same `Safety`."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from burnish.contract import Contract
from burnish.errors import BurnishError, ServerError
from burnish.real.ros import messages, qos
from burnish.real.ros.node import ManagedNode
from burnish.real.ros.plans import RosPlans

FRESH_S = 0.3
"""A target older than this is none: the human's controls are gone, which halts the robot."""


class HumanOrPolicy:
    """`burnish.real.asking.Plans`: the newest target on `intervention_chunk` while `intervention` is true.

    Attributes:
        driving: whether a human drives.
    """

    def __init__(self, node: ManagedNode, policy: RosPlans) -> None:
        self._policy, self.driving = policy, False
        self._target: np.ndarray | None = None
        self._heard_s = 0.0
        group = node.inbox
        node.create_subscription(Bool, "intervention", self._flag, qos.LATCHED, callback_group=group)
        node.create_subscription(JointTrajectory, "intervention_chunk", self._take, qos.REQUEST, callback_group=group)

    @property
    def contract(self) -> Contract | None:
        """The policy's."""
        return self._policy.contract

    @property
    def realtime(self) -> bool:
        """Whether the policy goes on with what is being executed."""
        return self._policy.realtime

    def plan(self, obs: Mapping[str, np.ndarray], previous: np.ndarray | None = None, frozen: int = 0) -> np.ndarray:
        """(1, A) the human's target, or the policy's chunk. Raises `BurnishError` if whoever drives says nothing."""
        if not self.driving:
            return self._policy.plan(obs, previous, frozen)
        self._policy.show(obs)  # so that it has planned anew by the time it is handed back
        begin = time.monotonic()
        while self._target is None or self._heard_s < begin - FRESH_S:
            if time.monotonic() - begin > FRESH_S:
                raise ServerError(f"a human drives, but nothing came on intervention_chunk for {FRESH_S:g} s")
            time.sleep(0.005)
        return self._target[None]

    def renew(self) -> None:
        """As the policy's."""
        self._policy.renew()

    def _flag(self, message: Bool) -> None:
        self.driving = message.data

    def _take(self, message: JointTrajectory) -> None:
        contract = self._policy.contract
        if contract is None:
            return
        try:
            self._target, self._heard_s = messages.actions(message, contract.action.names)[0], time.monotonic()
        except BurnishError as error:
            self._policy.refuse("misfit", f"a human's target: {error}")
