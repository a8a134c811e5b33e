"""The vector environment `libero/SUITE` and `libero/SUITE/TASK`.

Actions are LIBERO's own, so that a policy trained on a public dataset acts here unchanged: an action of 1 commands a
displacement of 5 cm or a rotation of 0.5 rad in one control step of 50 ms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import override

from burnish.contract import ENVIRONMENT_STATE, PLACES, STATE, TASK, Contract, Field
from burnish.sim.libero.about import SUITES, TASKS
from burnish.sim.libero.camera import CAMERAS, PATCHES
from burnish.sim.libero.film import film
from burnish.sim.libero.lane import GOALS, INSTRUCTION_BYTES, LiberoLane, described
from burnish.sim.libero.starts import PLACEMENTS, SETTLE_STEPS, TRAINING_STATES, Start, address
from burnish.sim.libero.suites import LiberoTask, select
from burnish.sim.protocols import horizon as default_horizon
from burnish.sim.randomize import uncertain
from burnish.sim.uncertain import DRAWN
from burnish.sim.vector import LanesEnv

RATE_HZ = 20.0
_GOAL_NAMES = (
    *("object_x", "object_y", "object_z"),
    *(f"object_{column}_{axis}" for column in ("front", "left") for axis in "xyz"),
    *(f"hand_to_object_{axis}" for axis in "xyz"),
    *(f"object_to_target_{axis}" for axis in "xyz"),
    *(f"object_to_source_{axis}" for axis in "xyz"),
    *("joint", "done"),
)
_GOAL_UNITS = ("m",) * 3 + ("1",) * 6 + ("m",) * 9 + ("m or rad", "1")


def goals(count: int, slots: int = 1) -> Field:
    """What the environment state says of `count` goal predicates.

    Args:
        slots: `count` where all are of a kind; where some rows always stay empty, the field is a vector like any other.
    """
    return Field(
        shape=(count * len(_GOAL_NAMES),),
        names=tuple(f"goal{i}_{name}" for i in range(count) for name in _GOAL_NAMES),
        unit=_GOAL_UNITS * count,
        frame="world",
        rate_hz=RATE_HZ,
        normalization="whitening",
        slots=slots,
    )


GOAL_FIELD = goals(GOALS)
CONTRACT = Contract(
    observation={
        STATE: Field(
            shape=(8,),
            names=("x", "y", "z", "rx", "ry", "rz", "finger_left", "finger_right"),
            unit=("m",) * 3 + ("rad",) * 3 + ("m",) * 2,
            frame="world",
            rate_hz=RATE_HZ,
            normalization="whitening",
        ),
        ENVIRONMENT_STATE: GOAL_FIELD,
        TASK: Field(
            shape=(INSTRUCTION_BYTES,),
            names=tuple(f"byte{i}" for i in range(INSTRUCTION_BYTES)),
            unit=("UTF-8",) * INSTRUCTION_BYTES,
            frame="none",
            rate_hz=RATE_HZ,
            normalization="identity",
            dtype="uint8",
        ),
    },
    action=Field(
        shape=(7,),
        names=("dx", "dy", "dz", "drx", "dry", "drz", "gripper"),
        unit=("5 cm",) * 3 + ("0.5 rad",) * 3 + ("1",),
        frame="world",
        rate_hz=RATE_HZ,
        normalization="min_max",
        low=(-1.0,) * 7,
        high=(1.0,) * 7,
    ),
)


def image(size: int) -> Field:
    """A colour image of `size` pixels per side."""
    shape, unit = (size, size, 3), ("1/255",) * 3
    return Field(shape, ("r", "g", "b"), unit, "camera", RATE_HZ, "identity", dtype="uint8")


def contract(cameras: int | None, places: bool = False, described: Field = GOAL_FIELD) -> Contract:
    """`CONTRACT` with the goals `described`; with images of `cameras` pixels per side unless that is None, and the
    places of their patches."""
    numbers = {**CONTRACT.observation, ENVIRONMENT_STATE: described}
    if cameras is None:
        return Contract(numbers, CONTRACT.action)
    shape = (len(CAMERAS), PATCHES, PATCHES, 3)
    where = Field(shape, ("x", "y", "z"), ("m",) * 3, "world", RATE_HZ, "identity")
    looks = dict.fromkeys(CAMERAS, image(cameras)) | ({PLACES: where} if places else {})
    return Contract({**numbers, **looks}, CONTRACT.action)


def _goals(members: Sequence[LiberoTask]) -> Field:
    count = max(described(task) for task in members)
    return goals(count, count if all(task.shown for task in members) else 1)


class Libero(LanesEnv):
    """A suite or one task in `num_envs` lanes; see `starts` for what a seed means."""

    tasks = (*TASKS, *SUITES)

    has_cameras = True
    has_places = True
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
        places: bool = False,
        settle_steps: int = SETTLE_STEPS,
        randomize: Mapping[str, float] | None = None,
    ) -> None:
        """`randomize`: fields of `burnish.sim.randomize.Randomization`; None for a world that is always the same."""
        drawn = uncertain(f"libero/{name}", randomize, self.randomizes, 1 / RATE_HZ)
        self.members = select(name)
        super().__init__(
            f"libero/{name}",
            contract(cameras, places, _goals(self.members)),
            f"{LiberoLane.__module__}:{LiberoLane.__name__}",
            {"name": name, "cameras": cameras, "settle_steps": settle_steps, "randomize": drawn},
            num_envs=num_envs,
            workers=workers,
            horizon=default_horizon(f"libero/{name}") if horizon is None else horizon,
            auto_reset=auto_reset,
            renderer=lambda poses, size: film(self.members, poses, size),
        )

    @property
    @override
    def num_tasks(self) -> int:
        return len(self.members)

    @override
    def attempt_seed(self, seed: int, task: int, attempt: int) -> int:
        """The training init states in turn, the furniture placed anew every time."""
        start = Start(task, attempt % TRAINING_STATES, (seed + attempt) % PLACEMENTS)
        return address(start, (seed * 131 + attempt) % (1 << 15))
