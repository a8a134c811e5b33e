"""A ROS graph of its own for a test: nodes as processes, and one node here that talks to them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# One graph per test process, on this computer alone.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_LOCALHOST_ONLY"] = "1"
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


class Bench:
    """The test's own node."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.node = folder, Node("bench")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.processes: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """The executor first: it must not look at a node that is gone."""
        self._executor.shutdown()
        self.node.destroy_node()

    def start(self, name: str, **parameters: Any) -> subprocess.Popen[bytes]:
        """`burnish.real.ros.NAME` as a process; what it says is in NAME.log."""
        words = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"burnish.real.ros.{name}", "--ros-args", *words], stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def hear(self, kind: Any, topic: str, qos: Any = 10) -> list[Any]:
        """What arrives on `topic`."""
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def until(self, true: Callable[[], Any], seconds: float = 30.0, each: Callable[[], Any] = lambda: None) -> bool:
        """Whether it came true in time; `each` is done 50 times a second."""
        end = time.monotonic() + seconds
        while not true() and time.monotonic() < end:
            each()
            due = time.monotonic() + 0.02
            while (left := due - time.monotonic()) > 0:
                self._executor.spin_once(timeout_sec=left)
        return bool(true())


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    rclpy.init()
    made = Bench(folder)
    try:
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait()
        made.close()
        rclpy.try_shutdown()
