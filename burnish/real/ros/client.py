"""Asks nodes from outside: lifecycle transitions, parameters, services. A node in this process, on a thread."""

from __future__ import annotations

import threading
import time
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from burnish.errors import BurnishError
from burnish.real.ros import qos
from burnish.real.ros.profile import use_profile

STARTS_S, ANSWERS_S = 60.0, 40.0


class Client:
    """For `with`.

    Attributes:
        diagnostics: newest of each node, by its full name.
        verdict: the robot's newest.
    """

    def __init__(self, name: str = "client") -> None:
        use_profile()
        self._context = Context()  # nothing else in this process is drawn in
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(name, context=self._context)
        self.diagnostics: dict[str, DiagnosticStatus] = {}
        self.verdict: DiagnosticStatus | None = None
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnose, qos.DIAGNOSTICS)
        self.node.create_subscription(DiagnosticStatus, "/robot/verdict", self._judge, qos.LATCHED)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._spinning = threading.Thread(target=self._executor.spin, daemon=True)
        self._spinning.start()

    def call(self, kind: Any, name: str, request: Any, seconds: float = ANSWERS_S) -> Any:
        """The answer of a service. Raises `BurnishError` if there is none."""
        client = self.node.create_client(kind, name)
        try:
            if not client.wait_for_service(STARTS_S):
                raise BurnishError(f"no node offers the service {name} ({STARTS_S:g} s)")
            future, end = client.call_async(request), time.monotonic() + seconds
            while not future.done():
                if time.monotonic() > end:
                    raise BurnishError(f"the service {name} does not answer ({seconds:g} s)")
                time.sleep(0.005)
            return future.result()
        finally:
            self.node.destroy_client(client)

    def change(self, node: str, transition: str) -> bool:
        """A lifecycle transition ("configure"); whether it succeeded."""
        number = getattr(Transition, f"TRANSITION_{transition.upper()}")
        request = ChangeState.Request(transition=Transition(id=number))
        return self.call(ChangeState, f"/{node}/change_state", request).success

    def set(self, node: str, **values: Any) -> None:
        """Parameters. Raises `BurnishError` if the node refuses one."""
        wishes = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParameters.Request(parameters=wishes)
        for name, result in zip(
            values, self.call(SetParameters, f"/{node}/set_parameters", request).results, strict=True
        ):
            if not result.successful:
                raise BurnishError(f"node {node}: parameter {name}: {result.reason}")

    def state(self, node: str) -> str:
        """The lifecycle's."""
        return self.call(GetState, f"/{node}/get_state", GetState.Request()).current_state.label

    def order(self, what: str) -> Trigger.Response:
        """`/robot/play` and its like."""
        return self.call(Trigger, f"/robot/{what}", Trigger.Request())

    def told(self, node: str) -> dict[str, str]:
        """The node's latest diagnostics; empty before the first."""
        status = self.diagnostics.get(f"/{node}")
        return {} if status is None else {"message": status.message} | {v.key: v.value for v in status.values}

    @property
    def rule(self) -> str:
        """By which the robot is halted; "" while it is not."""
        return "" if self.verdict is None else next(iter(self.verdict.values)).value

    def close(self) -> None:
        """Leave. The thread first: it must not look at a node that is gone."""
        self._executor.shutdown()
        self._spinning.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _diagnose(self, message: DiagnosticArray) -> None:
        self.diagnostics |= {status.name: status for status in message.status}

    def _judge(self, verdict: DiagnosticStatus) -> None:
        self.verdict = verdict
