"""A robot's node: its driver and `Safety`, in a control process of their own, led by the plans of a policy's node."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE
from burnish.errors import BurnishError
from burnish.limits import Limits
from burnish.real.base import RobotSpec, load_robot
from burnish.real.control import Settings, make_robot
from burnish.real.mailbox import Row
from burnish.real.player import PlayerConfig
from burnish.real.ros import orphan, qos
from burnish.real.ros.human import HumanOrPolicy
from burnish.real.ros.node import ManagedNode
from burnish.real.ros.parameters import declare, declare_fields, make
from burnish.real.ros.plans import RosPlans
from burnish.real.ros.work import Work
from burnish.real.safety import SafetyConfig
from burnish.real.session import BEAT_S, Session, mailbox_path

HALT_S = 0.5
"""A control process obeys within a few of its cycles, and is seen to at once."""


class RobotNode(ManagedNode):
    """Configure connects, activate plays, deactivate holds, clean-up lets go of the robot."""

    def __init__(self, robot: str) -> None:
        super().__init__("robot")
        declare(self, "robot", robot, "which robot", choices=tuple(registry.robots.names()))
        declare(self, "out", "runs/ros", "folder in which everything is recorded")
        declare(self, "policy_timeout", 10.0, "how long configuring waits for a policy's node, s", least=0.0)
        declare(self, "joint_state_rate", 100.0, "joint_states per second", least=1.0)
        declare_fields(self, "robot", load_robot(str(self.get_parameter("robot").value)).Config)
        declare_fields(self, "player", PlayerConfig)
        declare_fields(self, "safety", SafetyConfig)
        self.add_on_set_parameters_callback(self._may_set)
        self._plans = RosPlans(self)
        self._human, self._drove = HumanOrPolicy(self, self._plans), False
        self._states = self.create_publisher(JointState, "joint_states", qos.SENSOR)
        self._setpoints, self._slot = self.create_publisher(JointState, "setpoint", qos.SENSOR), -1
        self._verdicts = self.create_publisher(DiagnosticStatus, "~/verdict", qos.LATCHED)
        for name in ("play", "hold", "halt", "resume"):
            act = getattr(self, f"_{name}")
            # The stop never waits for a transition or another service.
            group = MutuallyExclusiveCallbackGroup() if name == "halt" else None
            self.create_service(Trigger, f"~/{name}", self._service(act), callback_group=group)
        self._work: Work | None = None
        self._said: tuple[str, str] | None = None
        self._due_s = 0.0

    def open(self) -> None:
        """Check parameters, robot and policy, and connect. Nothing moves."""
        name, folder = str(self.get_parameter("robot").value), Path(str(self.get_parameter("out").value))
        player, safety = make(self, "player", PlayerConfig), make(self, "safety", SafetyConfig)
        kind = load_robot(name)
        wish = make(self, "robot", kind.Config)
        config = asdict(wish)
        _complete(make_robot(name, config).spec)
        policy = self._plans.agree(float(self.get_parameter("policy_timeout").value))
        if wrong := kind.unsuited(wish, policy.trained):
            raise BurnishError(
                f"the policy was not trained for this {name}: {wrong}; the parameter robot.force accepts that"
            )
        senses = {key: sense for key, sense in kind.senses(wish).items() if key in policy.asks}
        if ENVIRONMENT_STATE in policy.asks and ENVIRONMENT_STATE not in senses:
            raise BurnishError(
                f"the policy reads {ENVIRONMENT_STATE}, of which a {name} knows nothing; tell the policy's node "
                "of which task: parameter task:=franka/lift"
            )
        if orphan.release(folder):
            self.get_logger().warning("took the robot over from a node that died")
        rate_hz, box = policy.contract.action.rate_hz, str(mailbox_path())
        settings = Settings(name, config, rate_hz, policy.replan, box, player, safety)
        self._work = Work(
            settings, self._human, folder, senses=senses, tell=self._say, look=self._look, gone=self._gone
        )
        self._judge(None)

    def start(self) -> None:
        """Let the policy move the robot."""
        self._play()

    def stop(self) -> None:
        """Come to rest; a robot that is gone does so by itself."""
        if self._work is not None and not self._work.lost:
            self._hold()

    def close(self) -> None:
        """Come to rest, and let go of the robot."""
        if self._work is not None:
            work, self._work = self._work, None
            work.close()

    def diagnose(self) -> tuple[bytes, str, Mapping[str, Any]]:
        """How robot, line and policy are."""
        work, plans = self._work, self._plans
        numbers: dict[str, Any] = {"policy_nodes_alive": plans.alive}
        numbers |= {f"chunks_refused_{reason}": count for reason, count in plans.refused.items()}
        if work is None or (row := work.session.row) is None:
            return DiagnosticStatus.OK, "not connected", numbers
        numbers |= {"phase": row.phase, "halts": row.verdicts, "missed_cycles": row.missed, "actions": row.slot}
        numbers["compute_p99_us"] = round(work.p99_us, 1)
        if self._said is not None:
            numbers |= {"rule": self._said[0], "verdict": self._said[1]}
            return DiagnosticStatus.ERROR, f"{row.phase}: {self._said[1]}", numbers
        return (DiagnosticStatus.OK if plans.alive else DiagnosticStatus.WARN), row.phase, numbers

    def _play(self) -> None:
        work = self._working()
        if self.state == "inactive":
            self.trigger_activate()
            if self.fault:
                raise BurnishError(self.fault)
            return
        with work.lock:
            if work.session.verdict is not None:
                rule, message = work.session.verdict
                raise BurnishError(f"it is halted ({rule}: {message}); call ~/resume first")
            work.session.play()

    def _hold(self) -> None:
        work = self._working()
        with work.lock:
            work.session.hold()

    def _halt(self) -> None:
        session, end = self._working().session, time.monotonic() + HALT_S
        # Without the lock, which a robot that stands up or takes off keeps for long. Two orders at once could then be
        # taken for one, so it is said until it is obeyed.
        while session.row is not None and session.row.phase != "halted":
            session.halt()
            if time.monotonic() > end:
                raise BurnishError("the control process does not halt; use the robot's own emergency stop")
            time.sleep(BEAT_S)

    def _resume(self) -> None:
        work = self._working()
        with work.lock:
            work.session.resume()

    def _working(self) -> Work:
        if self._work is None:
            raise BurnishError("not connected; configure the node first")
        if self._work.lost:
            raise BurnishError(f"{self._work.lost}; clean up and configure the node again")
        return self._work

    def _service(self, act: Callable[[], None]) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            try:
                act()
                response.success = True
            except BurnishError as error:
                response.message = str(error)
            return response

        return answer

    def _look(self, session: Session) -> None:
        """After every step of the session: what the world should know."""
        if session.verdict != self._said:
            self._judge(session.verdict)
        self._hand_over(session)
        now = time.monotonic()
        if session.row is not None and now >= self._due_s:
            self._due_s = max(self._due_s, now - 0.1) + 1 / float(self.get_parameter("joint_state_rate").value)
            self._states.publish(self._measured(session.spec, session.row))
        if session.row is not None and session.row.slot != self._slot:
            self._slot = session.row.slot
            self._setpoints.publish(self._commanded(session.spec, session.row))

    def _hand_over(self, session: Session) -> None:
        """Between human and policy: whoever drove is not gone on with."""
        if session.row is None or self._human.driving == self._drove:
            return
        self._drove = self._human.driving
        session.say("intervention", "a human drives" if self._drove else "the policy drives again")
        if session.row.phase == "playing":
            session.hold()
            session.play()

    def _measured(self, spec: RobotSpec, row: Row) -> JointState:
        message = JointState(name=list(spec.contract.action.names), position=row.measured.tolist())
        if np.isfinite(row.effort).any():
            message.effort = row.effort.tolist()
        message.header.stamp = self.get_clock().now().to_msg()
        return message

    def _commanded(self, spec: RobotSpec, row: Row) -> JointState:
        message = JointState(name=list(spec.contract.action.names), position=row.setpoint.tolist())
        message.header.stamp = self.get_clock().now().to_msg()
        return message

    def _judge(self, verdict: tuple[str, str] | None) -> None:
        self._said = verdict
        level = DiagnosticStatus.OK if verdict is None else DiagnosticStatus.ERROR
        rule, message = verdict or ("", "")
        status = DiagnosticStatus(level=level, name=self.get_fully_qualified_name(), message=message)
        status.values = [KeyValue(key="rule", value=rule)]
        self._verdicts.publish(status)

    def _say(self, line: str) -> None:
        self.get_logger().info(line)

    def _gone(self, why: str) -> None:
        """The robot or its control process is gone; from the session's thread."""
        self.get_logger().error(f"{why}; clean up and configure again when it is mended")
        self._judge(("line", why))

    def _may_set(self, wishes: list[Parameter]) -> SetParametersResult:
        fixed = [wish.name for wish in wishes if wish.name != "use_sim_time"]
        if self._work is None or not fixed:
            return SetParametersResult(successful=True)
        return SetParametersResult(
            successful=False, reason=f"{', '.join(fixed)}: clean up the node before you change it"
        )


def _complete(spec: RobotSpec) -> None:
    """Raise `BurnishError` for a robot without a limit for each entry of its action."""
    names = spec.contract.action.names
    if not isinstance(spec.limits, Limits) or spec.limits.names != names:
        has = spec.limits.names if isinstance(spec.limits, Limits) else "none"
        raise BurnishError(f"robot {spec.name}: needs a table of limits for {names}, has {has}; nothing was moved")
