"""`observation.environment_state` of a task of the Franka world, on a robot: from a tracker and the arm's own joints.

The world's tasks need a simulator only to be simulated: what they know and when they are solved is NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, Contract, difference
from burnish.errors import BurnishError, ContractError
from burnish.real.trackers.base import Tracker, TrackerError
from burnish.sim.franka.kinematics import tool_position
from burnish.sim.franka.task import Scene, Task, begin
from burnish.sim.franka.tasks import TASKS


def load_task(name: str) -> Task:
    """The task "franka/lift". Raises `UnknownNameError` with the closest match."""
    simulator, _, task = name.partition("/")
    if simulator != "franka" or task not in TASKS:
        raise registry.unknown("task of the robot franka", name, [f"franka/{known}" for known in TASKS])
    return TASKS[task]


class TrackedTask:
    """What a simulator knows of `task`, seen.

    Attributes:
        target: what the task draws besides (`Start.target`): where a goal or a hole is that stands still.
    """

    check = staticmethod(load_task)

    def __init__(self, name: str, tracker: Tracker, state: Callable[[], np.ndarray]) -> None:
        """`name`: "franka/lift"; `state`: the robot's latest `observation.state` (15,)."""
        self.task, self._tracker, self._state = load_task(name), tracker, state
        self.target = np.zeros(self.task.targets)

    def begin(self, seed: int) -> dict[str, Any]:
        """How a simulated robot is to be placed for the episode of `seed`, which is the world's of the same seed."""
        start, joints = begin(self.task, seed)
        self.target = start.target
        settings = {"joints": joints.tolist(), "width": start.width, "target": start.target.tolist()}
        return settings if start.place is None else settings | {"object": start.place.tolist()}

    def serve(self, contract: Contract) -> None:
        """Raises `ContractError` unless what it knows is what the policy of `contract` reads, in the same order."""
        read, known = contract.observation[ENVIRONMENT_STATE].names, self.task.names
        if read != known:
            here = f"task franka/{self.task.name}"
            raise ContractError(difference(f"{ENVIRONMENT_STATE}.names", read, known, "policy", here))

    def aim(self, target: Sequence[float]) -> None:
        """Where a goal or a hole stands, when nobody placed it. Raises `BurnishError` unless it is what it takes."""
        if len(target) != self.task.targets:
            needs = f"{self.task.targets} numbers of where the target is" if self.task.targets else "no target"
            told = "--target, or the node's parameter target"
            raise BurnishError(f"franka/{self.task.name} takes {needs}, given are {len(target)}: {told}")
        self.target = np.array(target, float)

    def know(self) -> np.ndarray:
        """(K,) float32 `observation.environment_state`. Raises `TrackerError` if the object is out of sight."""
        return self.task.know(self._scene())[0].astype(np.float32)

    def solved(self) -> bool:
        """Whether it is done."""
        return bool(self.task.solved(self._scene())[0])

    def _scene(self) -> Scene:
        tool, width = self._hand(self._state())
        scene = {"tool": tool[None], "width": width[None], "target": self.target[None]}
        if self.task.has_object:
            seen = self._tracker.read()
            if "object" not in seen:
                raise TrackerError(f"the tracker sees no 'object'; it sees {', '.join(sorted(seen)) or 'nothing'}")
            scene["object"] = np.append(seen["object"], np.zeros(6))[None]  # nobody measures how fast it moves
        return scene

    def _hand(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(3,) where the tool is, m, and () how wide it is open, m."""
        return tool_position(state[None, :7])[0], state[14]


class TrackedToolTask(TrackedTask):
    """Of `franka-tool`, which tells where its tool is."""

    def _hand(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return state[:3], state[-1]
