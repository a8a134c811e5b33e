"""What a tracker sees of a task, beside a robot that tells its joints and one that tells where its tool is."""

from __future__ import annotations

import numpy as np
import pytest

from burnish import registry
from burnish.errors import BurnishError
from burnish.fr3 import DOWN
from burnish.real.control import make_robot
from burnish.sim.franka.tasks import TASKS

JOINTS, WIDTH = np.array(DOWN) + 0.1, 0.03


class Standing:
    """A `Tracker` of a thing that stands."""

    def read(self) -> dict[str, np.ndarray]:
        return {"object": np.array([0.5, 0.1, 0.02, 1, 0, 0, 0.0])}


def states() -> dict[str, np.ndarray]:
    """`observation.state` of each robot in the same pose."""
    translator = make_robot("franka-tool", {}).translator
    assert translator is not None
    tool = translator.actions(np.array([[*JOINTS, WIDTH]]))[0]
    return {"franka": np.array([*JOINTS, *np.zeros(7), WIDTH]), "franka-tool": tool}


@pytest.mark.parametrize("task", TASKS)
def test_either_robot_knows_the_same(task: str):
    known = []
    for robot, state in states().items():
        tracked = registry.tracked_tasks.load(robot)(f"franka/{task}", Standing(), lambda state=state: state)
        tracked.aim(np.linspace(0.1, 0.4, TASKS[task].targets))
        known.append(tracked.know())
        assert not tracked.solved() and len(known[-1]) == len(TASKS[task].names)
    assert np.allclose(*known, atol=1e-6)


def test_a_target_of_another_size_is_refused():
    tracked = registry.tracked_tasks.load("franka")("franka/peg-insert", Standing(), lambda: states()["franka"])
    with pytest.raises(BurnishError, match=r"franka/peg-insert takes 7 numbers .*, given are 3: --target"):
        tracked.aim((0.1, 0.2, 0.3))
