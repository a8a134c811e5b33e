"""Every task of every suite that is offered can be played: minutes, so it runs with the slow tests."""

import numpy as np
import pytest

from burnish.contract import ENVIRONMENT_STATE, STATE, TASK
from burnish.sim.libero.lane import LiberoLane
from burnish.sim.libero.perturbations import lacks
from burnish.sim.libero.scene import scene
from burnish.sim.libero.starts import Start, address
from burnish.sim.libero.suites import STANDARD, perturbations, select

SUITES = [*STANDARD, *(name for suite in STANDARD for name in perturbations(suite))]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("suite", [name for name in SUITES if not lacks(name)])
def test_every_task_starts_unsolved_and_moves(suite):
    lane = LiberoLane(suite)
    for number, task in enumerate(select(suite)):
        last = len(scene(task).init_states) - 1
        for state in {0, last}:
            lane.reset(address(Start(number, state, 7)))
            out = {STATE: np.zeros(8), ENVIRONMENT_STATE: np.zeros(60), TASK: np.zeros(128, np.uint8)}
            lane.observe(out)
            before = out[STATE].copy()
            solved = [lane.step(np.ones(7, np.float32)) for _ in range(3)]
            lane.observe(out)
            assert not any(solved), task.name
            assert np.isfinite(out[STATE]).all() and np.isfinite(out[ENVIRONMENT_STATE]).all(), task.name
            assert np.linalg.norm(out[STATE][:3] - before[:3]) > 0.005, task.name
