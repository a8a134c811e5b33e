"""Nodes in processes of their own on real DDS, a simulated Franka, and a probe that looks at all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Before anything of ROS is loaded: no other machine, and no other process of pytest, hears these nodes.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(os.getpid() % 100 + 1)

from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from burnish.real.base import RobotError
from burnish.real.ros import qos
from burnish.real.ros.client import Client
from burnish.real.simulated import SimulatedProcess

ROOT = Path(__file__).resolve().parents[3]


def until(true: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What it returns as soon as it is true, or at the end."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


class Probe(Client):
    """A node of the test's own, which listens to everything."""

    def __init__(self) -> None:
        super().__init__("probe")
        self.joints: JointState | None = None
        self.observation: JointState | None = None
        self.chunk: JointTrajectory | None = None
        self.under_way: JointTrajectory | None = None
        subscribe = self.node.create_subscription
        subscribe(JointState, "/joint_states", lambda m: setattr(self, "joints", m), qos.SENSOR)
        subscribe(JointState, "/observation", lambda m: setattr(self, "observation", m), qos.REQUEST)
        subscribe(JointTrajectory, "/under_way", lambda m: setattr(self, "under_way", m), qos.REQUEST)
        subscribe(JointTrajectory, "/chunk", lambda m: setattr(self, "chunk", m), qos.CHUNK)


@pytest.fixture(scope="session")
def probe() -> Iterator[Probe]:
    found = Probe()
    yield found
    found.close()


@pytest.fixture(scope="module")  # it takes half a core as long as it lives
def franka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProcess]:
    address = f"127.1.{os.getpid() % 250 + 1}.1"
    log = tmp_path_factory.mktemp("franka") / "log"
    with SimulatedProcess("franka", ["--address", address], log=log) as process:
        yield process


class Stack:
    """A policy's node and a robot's, and the arm that they move. The processes live on from test to test."""

    def __init__(self, probe: Probe, arm: SimulatedProcess) -> None:
        self.probe, self.arm = probe, arm
        self.policy: subprocess.Popen[bytes] | None = None
        self.robot: subprocess.Popen[bytes] | None = None
        self.folder, self._before = Path(), {}

    def begin(self, folder: Path) -> None:
        """A new test: nobody commands the arm, and it is where it starts."""
        self.folder = folder
        self.unconfigure()
        for _ in range(100):
            with suppress(RobotError):
                self.arm.ask("place")
                break
            time.sleep(0.1)
        self._before = self.arm.ask("report")["violations"]
        self.probe.verdict = self.probe.under_way = None

    def unconfigure(self) -> None:
        for name, process in (("robot", self.robot), ("policy", self.policy)):
            if lives(process):
                if self.probe.state(name) == "active":
                    self.probe.change(name, "deactivate")
                if self.probe.state(name) == "inactive":
                    assert self.probe.change(name, "cleanup")

    def ready(self, kind: str = "sway", mode: str = "ensemble", cameras: str = "", robot: str = "franka") -> None:
        """The policy's node active, the robot's unconfigured."""
        self.start_robot(robot)
        self.start_policy(kind, cameras)
        self.probe.set("robot", **{"player.mode": mode, "out": str(self.folder)})

    def _gone(self, name: str) -> None:
        """A node that was killed is believed to live until its lease ends, and would be asked in vain."""
        assert until(lambda: name not in self.probe.node.get_node_names(), 15.0), name

    def start_policy(self, kind: str = "sway", cameras: str = "") -> None:
        """Its node, active."""
        if not lives(self.policy):
            self._gone("policy")
            self.policy = self._start([str(ROOT / "tests/real/ros/policy_process.py")], {})
        self.probe.set("policy", checkpoint=kind, cameras=[cameras])
        assert self.probe.change("policy", "configure"), self.probe.told("policy")
        assert self.probe.change("policy", "activate")

    def start_robot(self, name: str = "franka") -> None:
        """Its node, unconfigured."""
        if not lives(self.robot):
            self._gone("robot")
            given = {"robot.address": self.arm.address, "out": str(self.folder), "policy_timeout": 3.0}
            given |= {"player.mode": "ensemble", "robot": name}
            self.robot = self._start(["-m", "burnish.real.ros.main", "franka_node"], given)

    def moving(self, seconds: float = 1.0) -> None:
        """From wherever it is until the arm sways."""
        probe = self.probe
        if probe.state("robot") == "unconfigured":
            assert probe.change("robot", "configure"), probe.told("robot")
        answer = probe.order("play")
        assert answer.success, answer.message
        time.sleep(seconds)
        self.sways()

    def sways(self) -> None:
        """Within a time in which it would cover the whole way and back on an idle machine."""
        begin = np.array(self.arm.ask("report")["joints"])
        away = until(lambda: np.abs(self.arm.ask("report")["joints"] - begin).max() > 0.02, 5.0)
        assert away, (self.probe.told("robot"), self.probe.told("policy"))

    def held(self, *rules: str, seconds: float = 4.0) -> str:
        """Halted by one of these rules; the arm agrees that it stands, and that no limit was passed. The message."""
        until(lambda: self.rule in rules, seconds)
        assert self.rule in rules, (self.rule, self.probe.told("robot"))
        assert until(lambda: self.arm.ask("report")["still_s"] > 0.1, 5.0), self.arm.ask("report")
        assert self.violations() == {}
        assert self.probe.verdict is not None
        return self.probe.verdict.message

    @property
    def rule(self) -> str:
        return self.probe.rule

    def violations(self) -> dict[str, int]:
        now = self.arm.ask("report")["violations"]
        return {name: count for name, count in now.items() if count != self._before.get(name)}

    def kill(self, name: str) -> None:
        """-9, and wait until everybody knows."""
        process = getattr(self, name)
        process.kill()
        process.wait()
        setattr(self, name, None)

    def end(self, process: subprocess.Popen[bytes] | None) -> int | None:
        """As Ctrl-C and `ros2 launch` end it; its exit status."""
        if process is None or process.poll() is not None:
            return None
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _start(self, words: list[str], parameters: dict[str, Any]) -> subprocess.Popen[bytes]:
        given = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
        return subprocess.Popen(
            [sys.executable, *words, "--ros-args", *given],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        )


def lives(process: subprocess.Popen[bytes] | None) -> bool:
    return process is not None and process.poll() is None


@pytest.fixture(scope="module")
def processes(probe: Probe, franka: SimulatedProcess) -> Iterator[Stack]:
    found = Stack(probe, franka)
    yield found
    found.end(found.robot)
    found.end(found.policy)


@pytest.fixture
def stack(processes: Stack, tmp_path: Path) -> Stack:
    processes.begin(tmp_path / "run")
    return processes
