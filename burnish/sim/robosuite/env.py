"""The vector environment `robosuite/TASK`: a Panda arm under robosuite's OSC_POSE, as robomimic's data has it.

The state is LIBERO's (hand, fingers), the environment state robosuite's "object-state". An action of 1 commands a
displacement of 5 cm or a rotation of 0.5 rad in one control step of 50 ms.
"""

from __future__ import annotations

from collections.abc import Mapping

from burnish.contract import ENVIRONMENT_STATE, STATE, Contract, Field
from burnish.sim.about import known_task
from burnish.sim.libero.env import CONTRACT as LIBERO
from burnish.sim.libero.env import image
from burnish.sim.protocols import horizon as default_horizon
from burnish.sim.randomize import uncertain
from burnish.sim.robosuite.camera import CAMERAS, film
from burnish.sim.robosuite.lane import RobosuiteLane
from burnish.sim.robosuite.scene import RATE_HZ
from burnish.sim.robosuite.tasks import TASKS, names, size, units
from burnish.sim.uncertain import DRAWN
from burnish.sim.vector import LanesEnv


def contract(task: str, cameras: int | None) -> Contract:
    """Of `task`, with images of `cameras` pixels per side unless that is None."""
    objects = Field((size(task),), names(task), units(task), "world", RATE_HZ, "whitening")
    looks = {} if cameras is None else dict.fromkeys(CAMERAS, image(cameras))
    return Contract({STATE: LIBERO.observation[STATE], ENVIRONMENT_STATE: objects, **looks}, LIBERO.action)


class Robosuite(LanesEnv):
    """One task ("PickPlaceCan") in `num_envs` lanes. Raises `UnknownNameError` with the closest match."""

    tasks = tuple(TASKS)
    has_cameras = True
    randomizes = DRAWN

    def __init__(
        self,
        name: str,
        *,
        num_envs: int,
        workers: int = 0,
        horizon: int | None = None,
        auto_reset: bool = False,
        cameras: int | None = None,
        randomize: Mapping[str, float] | None = None,
    ) -> None:
        """`randomize`: fields of `burnish.sim.randomize.Randomization`; None for a world that is always the same."""
        known_task("robosuite", name, TASKS)
        drawn = uncertain(f"robosuite/{name}", randomize, self.randomizes, 1 / RATE_HZ)
        super().__init__(
            f"robosuite/{name}",
            contract(name, cameras),
            f"{RobosuiteLane.__module__}:{RobosuiteLane.__name__}",
            {"task": name, "cameras": cameras, "randomize": drawn},
            num_envs=num_envs,
            workers=workers,
            horizon=default_horizon(f"robosuite/{name}") if horizon is None else horizon,
            auto_reset=auto_reset,
            renderer=lambda poses, size: film(name, poses, size),
        )
