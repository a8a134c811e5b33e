"""A policy that moves a simulated robot through ROS 2: three nodes in processes of their own, and DDS between them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from burnish import registry
from burnish.errors import BurnishError
from burnish.files import read_json
from burnish.real.journal import read_cycles
from burnish.real.mailbox import PHASES
from burnish.real.ros.client import Client
from burnish.real.ros.objects import EXAMPLE
from burnish.real.ros.supervisor import Part, Supervisor, tracker
from burnish.real.ros.words import executable, parameters
from burnish.real.simulated import SimulatedProcess
from burnish.real.stands import SLOWEST, Played, Setup, watch_by

LOOK_S = 0.02
STARTS_S = 120.0
"""A large checkpoint is loaded in less."""


class NodesStand:
    """As `burnish ros` starts them; the robot's node is configured anew for each episode."""

    def __init__(self, setup: Setup, robot: SimulatedProcess) -> None:
        self._setup, self._robot, self._stack = setup, robot, ExitStack()

    def __enter__(self) -> NodesStand:
        enter = self._stack.enter_context
        self._tracker = watch_by(self._robot)
        self._stack.callback(self._tracker.close)
        try:
            enter(Supervisor(parts(self._setup, self._robot), lambda line: None))
            self._client = enter(Client("trial"))
            self._await_policy()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, seed: int, horizon: int, folder: Path) -> Played:
        """See `burnish.real.stands.Stand`."""
        setup, client = self._setup, self._client
        task = registry.tracked_tasks.load(setup.robot)(setup.task, self._tracker, self._state)
        self._robot.ask("place", **task.begin(seed))
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
        end = time.monotonic() + STARTS_S
        while self._client.state("policy") != "active":
            if time.monotonic() > end:
                raise BurnishError(f"the policy's node is not active after {STARTS_S:g} s; see what it said")
            time.sleep(0.1)


def parts(setup: Setup, robot: SimulatedProcess) -> list[Part]:
    """The nodes, who moves something first."""
    arm = {"robot": setup.robot, "robot.address": robot.address, "policy_timeout": STARTS_S}
    arm |= parameters("player", setup.player) | parameters("safety", setup.safety)
    policy = {"checkpoint": setup.checkpoint, "task": setup.task, "objects": [EXAMPLE], "autostart": "activate"}
    return [
        Part(executable(setup.robot), "robot", arm, {}, ""),
        Part("policy_node", "policy", policy, {}, ""),
        tracker(robot.door),
    ]


def _actions(folder: Path) -> int:
    """Begun while the policy drove, by the recording."""
    names, cycles = read_cycles(folder)
    playing = cycles[:, names.index("phase")] == PHASES.index("playing")
    return int(cycles[playing, names.index("slot")].max(initial=0))
