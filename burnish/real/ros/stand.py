"""A policy that moves a simulated robot through ROS 2: three nodes in processes of their own, and DDS between them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, override

import numpy as np

from burnish.errors import BurnishError
from burnish.files import read_json
from burnish.real.journal import read_cycles
from burnish.real.mailbox import PHASES
from burnish.real.ros.client import Client
from burnish.real.ros.parts import POLICY_TIMEOUT_S, policy_part, robot_part, tracker_part
from burnish.real.ros.supervisor import Part, Supervisor
from burnish.real.ros.topics import OBJECTS
from burnish.real.simulated import SimulatedProcess
from burnish.real.stands import SLOWEST, Played, Setup, Stand

LOOK_S = 0.02


class NodesStand(Stand):
    """As `burnish ros` starts them; the robot's node is configured anew for each episode."""

    @override
    def _open(self) -> None:
        super()._open()
        self._stack.enter_context(Supervisor(parts(self._setup, self._robot), lambda line: None))
        self._client = self._stack.enter_context(Client("trial"))
        self._await_policy()

    @override
    def play(self, seed: int, horizon: int, folder: Path) -> Played:
        client, task = self._client, self._begin(seed, self._state)
        if task.target.size:
            client.set("policy", target=task.target.tolist())
        client.set("robot", out=str(folder))
        self._change("configure")
        self._change("activate")
        rate_hz = float(read_json(folder / "cycles.json")["policy_rate_hz"])
        solved = self._watch(task, horizon, SLOWEST * horizon / rate_hz)
        halts = int(bool(client.rule))
        self._change("deactivate")
        self._change("cleanup")
        actions = _actions(folder)
        return Played(solved and actions <= horizon + 1, min(actions, horizon), halts)

    def _watch(self, task: Any, horizon: int, seconds: float) -> bool:
        """Let it play until it is solved, halted, or its actions are over, by its own diagnostics."""
        client, end = self._client, time.monotonic() + seconds
        client.diagnostics.clear()  # they may be of the episode before
        while time.monotonic() < end and not client.rule:
            if task.solved():
                return True
            if int(client.told("robot").get("actions", 0)) > horizon:
                return False
            time.sleep(LOOK_S)
        return False

    def _state(self) -> np.ndarray:
        seen = self._robot.ask("report")
        return np.array([*seen["joints"], *np.zeros(7), seen["gripper_width"]])

    def _change(self, transition: str) -> None:
        if not self._client.change("robot", transition):
            why = self._client.told("robot").get("message", "see the nodes' log")
            raise BurnishError(f"the robot's node cannot {transition}: {why}")

    def _await_policy(self) -> None:
        end = time.monotonic() + POLICY_TIMEOUT_S
        while self._client.state("policy") != "active":
            if time.monotonic() > end:
                raise BurnishError(f"the policy's node is not active after {POLICY_TIMEOUT_S:g} s; see what it said")
            time.sleep(0.1)


def parts(setup: Setup, robot: SimulatedProcess) -> list[Part]:
    """The nodes, who moves something first."""
    arm, seen = {"robot.address": robot.address}, {"task": setup.task, "objects": [OBJECTS.example]}
    moving = robot_part(setup.robot, setup.player, setup.safety, arm)
    return [moving, policy_part(setup.checkpoint, seen), tracker_part(robot.door)]


def _actions(folder: Path) -> int:
    """Begun while the policy drove, by the recording."""
    names, cycles = read_cycles(folder)
    playing = cycles[:, names.index("phase")] == PHASES.index("playing")
    return int(cycles[playing, names.index("slot")].max(initial=0))
