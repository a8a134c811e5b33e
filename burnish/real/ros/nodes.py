"""What nodes share: parameters that are declared with their meaning and checked, diagnostics, and one way to end."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from rclpy.signals import SignalHandlerOptions

from burnish import processes
from burnish.errors import BurnishError
from burnish.real.ros.parameters import described
from burnish.real.ros.profile import use_profile

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
FAULT = 2
"""Exit status after an error the user can mend."""


class Parameter(NamedTuple):
    """A parameter of a node; `low` and `high` bound numbers."""

    name: str
    default: str | bool | float | list[str] | list[int] | list[float]
    meaning: str
    low: float = -math.inf
    high: float = math.inf


class Holder(Node):
    """A node that holds something beside ROS: a device, a file, a thread."""

    def close(self) -> None:
        """Let go of it. Called once, before `destroy_node`, and not if `__init__` raised."""
        raise NotImplementedError


def declare(node: Node, parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    """Declare `parameters`, which are read once, and return their values by name.

    Raises `BurnishError` naming the parameter, its value and what it can be.
    """
    values: dict[str, Any] = {}
    for one in parameters:
        about = described(one.meaning, one.default, one.low, one.high)
        about.read_only = True
        bounds = f" between {one.low:g} and {one.high:g}" if math.isfinite(one.low) else ""
        default = RosParameter.Type.STRING_ARRAY if one.default == [] else one.default
        try:
            value = node.declare_parameter(one.name, default, about).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            wanted = f"{type(one.default).__name__}{bounds}"
            raise BurnishError(f"parameter {one.name} ({one.meaning}) must be {wanted}: {error}") from error
        values[one.name] = list(one.default) if value is None and isinstance(one.default, list) else value
    return values


def status(node: Node, name: str, level: bytes, message: str, values: Mapping[str, Any]) -> DiagnosticArray:
    """One line for `diagnostics`."""
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    one = DiagnosticStatus(level=level, name=name, message=message, hardware_id=node.get_name(), values=pairs)
    told = DiagnosticArray(status=[one])
    told.header.stamp = node.get_clock().now().to_msg()
    return told


def join() -> None:
    """Begin with ROS; signals are a node's own matter. Raises `BurnishError` for words that it does not understand."""
    use_profile()
    try:
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # rclpy's own are
        raise BurnishError(f"{str(error).partition(', at /')[0]} (an empty text is written \"''\")") from error


def run(make: Callable[[], Holder]) -> None:
    """Make a node and spin it until Ctrl-C or SIGTERM; then close it. Of a `BurnishError` one line is
    printed, exit status 2. The node must have a timer: a signal is seen when something wakes it."""
    processes.interrupt_on_terminate()
    node = None
    try:
        join()
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except BurnishError as error:
        print(f"burnish: {error}", file=sys.stderr)
        sys.exit(FAULT)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
