"""What the nodes have in common: a lifecycle whose refusals say why, diagnostics, and the loop that runs one."""

from __future__ import annotations

import signal
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from burnish.errors import BurnishError
from burnish.real.ros import qos
from burnish.real.ros.nodes import ERROR, join, status
from burnish.real.ros.parameters import declare
from burnish.real.ros.supervisor import REFUSED

AUTOSTART = ("off", "configure", "activate")
DIAGNOSE_S = 0.5


class ManagedNode(LifecycleNode):
    """Configured, activated, deactivated and cleaned up from outside, or by itself (parameter `autostart`).

    Transitions and services follow one another in the default callback group; messages arrive meanwhile, in `inbox`.

    Attributes:
        fault: why the last transition was refused; "" after one that was not.
        stopping: set when the process is to end; whoever waits must give up.
        turn: whoever has it may change what the node does.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.inbox = MutuallyExclusiveCallbackGroup()
        self.fault, self.status, self.stopping, self.turn = "", 0, threading.Event(), threading.RLock()
        declare(
            self, "autostart", "off", "how far it goes by itself: no launch system has to drive it", choices=AUTOSTART
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self.create_timer(DIAGNOSE_S, self._diagnose, self.inbox)
        self._autostart = self.create_timer(0.0, self._start_alone)

    @abstractmethod
    def open(self) -> None:
        """Configure. Raises `BurnishError` if that cannot be; then everything is as before."""

    @abstractmethod
    def start(self) -> None:
        """Activate. Raises `BurnishError` as `open`."""

    @abstractmethod
    def stop(self) -> None:
        """Deactivate."""

    @abstractmethod
    def close(self) -> None:
        """Clean up; safe to call at any time."""

    @abstractmethod
    def diagnose(self) -> tuple[bytes, str, Mapping[str, Any]]:
        """Level, message, and numbers worth knowing."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `open`."""
        return self._attempt("configure", self.open)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `start`."""
        return self._attempt("activate", self.start)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `stop`."""
        return self._attempt("deactivate", self.stop)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `close`."""
        return self._attempt("cleanup", self.close)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `close`."""
        return self._attempt("shutdown", self.close)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Whatever went wrong, begin anew."""
        fault = self.fault
        ended = self._attempt("clean up after an error", self.close)
        self.fault = self.fault or fault
        return ended

    @property
    def state(self) -> str:
        """The lifecycle's: unconfigured, inactive, active, or between two of them."""
        return self._state_machine.current_state[1]

    def _attempt(self, what: str, act: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            with self.turn:
                act()
        except BurnishError as error:
            self._blame(what, str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would drop it without a word
            self._blame(what, str(error) if isinstance(error, OSError) else repr(error))
            return TransitionCallbackReturn.ERROR
        self.fault = ""
        return TransitionCallbackReturn.SUCCESS

    def _blame(self, what: str, why: str) -> None:
        self.fault = why
        self.get_logger().error(f"cannot {what}: {why}")

    def _start_alone(self) -> None:
        """Once, as soon as the node spins."""
        self._autostart.cancel()
        wish = self.get_parameter("autostart").value
        if wish not in AUTOSTART:
            self.fault = f"parameter autostart is {wish!r}; one of: {', '.join(AUTOSTART)}"
            self.get_logger().error(self.fault)
        elif wish != "off" and self.trigger_configure() is TransitionCallbackReturn.SUCCESS and wish == "activate":
            self.trigger_activate()
        if self.fault and wish != "off":
            self.status = REFUSED
            self.stopping.set()

    def _diagnose(self) -> None:
        level, message, numbers = self.diagnose()
        if self.fault:
            level, message = ERROR, self.fault
        values = {"lifecycle": self.state, **numbers}
        self._diagnostics.publish(status(self, self.get_fully_qualified_name(), level, message, values))


def run(make: Callable[[], ManagedNode]) -> int:
    """Run one node until Ctrl-C, SIGTERM, or until it gives up; its exit status."""
    join()
    node = make()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: node.stopping.set())
    executor = MultiThreadedExecutor(3)
    executor.add_node(node)
    spinning = threading.Thread(target=_spin, args=(executor,), daemon=True)
    spinning.start()
    while spinning.is_alive() and not node.stopping.wait(0.1):
        continue
    unexpected = int(not node.stopping.is_set())
    node.stopping.set()
    with node.turn:
        node.close()  # the robot comes to rest while messages still arrive
    executor.shutdown(2.0)
    spinning.join(2.0)
    node.destroy_node()
    rclpy.try_shutdown()
    return node.status or unexpected


def _spin(executor: MultiThreadedExecutor) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        return
