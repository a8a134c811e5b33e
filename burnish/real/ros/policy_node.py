"""A policy's node: observations in, action chunks out. It moves nothing by itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from burnish.contract import ENVIRONMENT_STATE, STATE, TASK, Contract, Field, encode_text
from burnish.errors import BurnishError
from burnish.real.ros import messages, qos
from burnish.real.ros.cameras import Cameras
from burnish.real.ros.knowledge import Knowledge
from burnish.real.ros.messages import Mark
from burnish.real.ros.node import ManagedNode
from burnish.real.ros.parameters import declare
from burnish.real.ros.source import Source, open_source
from burnish.real.ros.topics import ARROW, CAMERAS, OBJECTS


class PolicyNode(ManagedNode):
    """Configure loads the policy and tells its contract, activate answers observations, deactivate is silent."""

    def __init__(self) -> None:
        super().__init__("policy")
        declare(self, "checkpoint", "", "a checkpoint, an exported policy, or ws://HOST:PORT of a policy server")
        declare(self, "cameras", [""], f"what the policy sees: NAME{ARROW}TOPIC each")
        declare(self, "camera_timeout", 0.2, "a camera without a new frame for so long is blind, s", least=0.0)
        declare(self, "task", "", "of which task it reads observation.environment_state, e.g. franka/lift")
        declare(self, "objects", [OBJECTS.example], f"where that task's things are: NAME{ARROW}TOPIC each")
        declare(self, "object_timeout", 0.2, "an object without a new pose for so long is out of sight, s", least=0.0)
        declare(self, "target", Parameter.Type.DOUBLE_ARRAY, "what the task draws besides: a goal's or a hole's place")
        declare(self, "instruction", "", "what to do, until the topic `instruction` says otherwise")
        declare(self, "seed", 0, "of the policy's noise", least=0)
        self._looking = MutuallyExclusiveCallbackGroup()  # frames go on while a plan is made
        self.create_subscription(JointState, "observation", self._observe, qos.REQUEST, callback_group=self.inbox)
        self.create_subscription(JointTrajectory, "under_way", self._go_on, qos.REQUEST, callback_group=self.inbox)
        self.create_subscription(String, "instruction", self._instruct, qos.INSTRUCTION, callback_group=self._looking)
        self._source: Source | None = None
        self._cameras: Cameras | None = None
        self._knowledge: Knowledge | None = None
        self._outbox: list[Publisher[Any]] = []
        self._observed: JointState | None = None
        self._under_way: JointTrajectory | None = None
        self._told: Mapping[str, Field] = {}
        self._instruction, self._active = "", False
        self._plans, self._took_s, self._problem = 0, 0.0, ""

    def open(self) -> None:
        """Load the policy, find its cameras, tell its contract."""
        self._source = open_source(str(self.get_parameter("checkpoint").value), int(self.get_parameter("seed").value))
        description = self._source.description
        try:
            description = replace(description, asks=self._sense(description.contract))
        except BurnishError:
            self.close()
            raise
        self._problem = ""
        self._instruction = self._instruction or str(self.get_parameter("instruction").value)
        # Made now, so that a robot's node finds them only where there is a policy.
        chunks = self.create_publisher(JointTrajectory, "chunk", qos.CHUNK)
        told = self.create_publisher(String, "policy", qos.LATCHED)
        self._outbox = [chunks, told]
        self._told = description.told
        told.publish(String(data=description.to_json()))

    def _sense(self, contract: Contract) -> tuple[str, ...]:
        """Subscribe everything that the policy reads; the keys that are left to the robot's node."""
        _check(contract)
        topics = CAMERAS.parse(self.get_parameter("cameras").value)
        timeout_s = float(self.get_parameter("camera_timeout").value)
        self._cameras = Cameras(self, contract, topics, timeout_s, self._looking)
        if ENVIRONMENT_STATE not in contract.observation:
            return (STATE,)
        if not str(self.get_parameter("task").value):  # where to go, or a clip: a robot's node may know
            return (STATE, ENVIRONMENT_STATE)
        self._knowledge = Knowledge(self, contract, self._looking)
        return (STATE,)

    def start(self) -> None:
        """Answer observations from now on."""
        self._active = True

    def stop(self) -> None:
        """Answer no more; the robot is held then."""
        self._active = False

    def close(self) -> None:
        """Let go of policy, cameras and objects."""
        self._active = False
        for publisher in self._outbox:
            self.destroy_publisher(publisher)
        for held in (self._cameras, self._knowledge, self._source):
            if held is not None:
                held.close()
        self._source, self._cameras, self._knowledge, self._outbox = None, None, None, []

    def diagnose(self) -> tuple[bytes, str, Mapping[str, Any]]:
        """Which camera is blind, what is out of sight, and how long plans take."""
        ages = {name: age for eye in (self._cameras, self._knowledge) if eye for name, age in eye.ages_s().items()}
        numbers: dict[str, Any] = {"plans": self._plans, "last_plan_ms": round(self._took_s * 1e3, 1)}
        numbers |= {f"age_of_{name}_s": round(age, 3) for name, age in ages.items()}
        if self._source is None:
            return DiagnosticStatus.OK, "no policy loaded", numbers
        problem = self._problem
        try:
            if self._cameras is not None:
                self._cameras.look()
        except BurnishError as error:
            problem = str(error)
        if problem:
            return DiagnosticStatus.ERROR, f"no plan: {problem}", numbers
        return DiagnosticStatus.OK, self._source.description.policy, numbers

    def _observe(self, message: JointState) -> None:
        self._observed = message
        self._answer()

    def _go_on(self, message: JointTrajectory) -> None:
        self._under_way = message
        self._answer()

    def _instruct(self, message: String) -> None:
        self._instruction = message.data

    def _answer(self) -> None:
        """Plan, once the observation and what is under way with it are both there."""
        observed, source = self._observed, self._source
        if observed is None or source is None or not self._active:
            return
        try:
            mark, names = Mark.parse(observed.header.frame_id), source.description.contract.action.names
            previous = None
            if mark.frozen is not None:
                if self._under_way is None or self._under_way.header.frame_id != mark.text:
                    return  # the other one is on its way
                previous = messages.actions(self._under_way, names)
            self._observed = None
            begin = time.perf_counter()
            actions = source.plan(self._see(observed, source.description.contract), previous, mark.frozen or 0)
            self._took_s = time.perf_counter() - begin
        except Exception as error:  # a policy's own too: the node lives on, and says so
            self._observed, self._problem = None, str(error) if isinstance(error, BurnishError) else repr(error)
            self.get_logger().error(f"no plan: {self._problem}", throttle_duration_sec=1.0)
            return
        rate_hz = source.description.contract.action.rate_hz
        answer = messages.trajectory(Mark(mark.slot), names, actions, rate_hz, observed.header.stamp)
        self._outbox[0].publish(answer)
        self._plans, self._problem = self._plans + 1, ""

    def _see(self, observed: JointState, contract: Contract) -> dict[str, np.ndarray]:
        """Everything the policy reads."""
        obs = {} if self._cameras is None else self._cameras.look()
        obs |= messages.told(observed, self._told)
        if self._knowledge is not None:
            obs[ENVIRONMENT_STATE] = self._knowledge.know(obs[STATE])
        if TASK in contract.observation:
            obs[TASK] = encode_text(self._instruction, contract.observation[TASK].shape[0])
        return obs


def _check(contract: Contract) -> None:
    """Raise `BurnishError` for an observation that nothing on a robot gives."""
    for key in contract.observation:
        if key not in (STATE, TASK, ENVIRONMENT_STATE, *contract.images):
            raise BurnishError(
                f"the policy reads {key!r}, which no topic brings; train one on {STATE}, images, {ENVIRONMENT_STATE} "
                f"and {TASK} alone"
            )
