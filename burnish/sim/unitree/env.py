"""Tasks of a Unitree Go2 and a G1, some thousands of steps a second on one core: MuJoCo's threaded rollout.

Observations and actions are those of the robot's driver (`burnish.real.unitree`) at the policy's rate, so what is
trained here is deployed unchanged; `observation.environment_state` says where to go (`burnish.gait`), or where a clip
has the arms (`burnish.tracking`). Between two actions the targets move as the driver's `Safety` lets them; an action
that it would halt for earns nothing, and an episode with one is not solved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from burnish.errors import BurnishError
from burnish.sim.batched import BatchEnv
from burnish.sim.unitree.randomize import Randomization
from burnish.sim.unitree.tasks import TASKS, task
from burnish.sim.unitree.world import UnitreeBatch


class UnitreeWorld(BatchEnv):
    """One task ("velocity", "g1-track:FILE.csv"); `workers` are threads here."""

    tasks = tuple(TASKS)
    randomizes = tuple(part.name for part in fields(Randomization))

    def __init__(
        self, name: str, *, workers: int = 0, randomize: Mapping[str, float] | None = None, **settings: Any
    ) -> None:
        """
        Args:
            randomize: fields of `Randomization`; None for its defaults, pushes for the task's.
            settings: of `BatchEnv`, but for the device: it runs on a CPU.
        Raises `UnknownNameError`, `BurnishError`.
        """
        chosen = task(name)
        if workers < 0:
            raise BurnishError(f"workers must be 0 or more, not {workers}")
        batch = partial(
            UnitreeBatch, name, chosen, workers, Randomization.of({"push": chosen.push} | dict(randomize or {}))
        )
        super().__init__(f"unitree/{name}", batch, **{"device": "cpu", **settings})
