"""What a task is: what stands on the table, where an episode begins, what only a simulator knows, when it is solved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from burnish.arrays import Array, Constant, namespace
from burnish.fr3 import DOWN

Scene = Mapping[str, Array]
"""Of n lanes: `tool` (n, 3), `width` (n,), `object` (n, 13: position, quaternion, velocity,
angular velocity) where there is one, `target` (n, ...) as `Task.begin` drew it; of one library, on
one device, as is what a task makes of them."""


@dataclass(frozen=True)
class Start:
    """Where an episode begins.

    Attributes:
        place: (7,) the object's position and quaternion, None without one.
        target: what the task draws besides.
        width: of the gripper's opening, m.
    """

    place: np.ndarray | None
    target: np.ndarray
    width: float = 0.08


@dataclass(frozen=True)
class Task:
    """One task. Equal by its name alone, so that models can be kept by it.

    Attributes:
        success: when it is solved, in words.
        xml: MJCF of what stands on the table, at most one free body, the object.
        names, units: of what only a simulator knows.
        begin: draws the start of an episode.
        know: (n, len(names)) what only a simulator knows.
        solved: (n,) bool.
        has_object: whether there is one.
        targets: numbers in `Start.target`.
        fixture: name of a body that stands where these say: position, and quaternion if there are seven.
        reward: (n,) between 0 and 1, how far it has come, for learners that cannot begin from success alone.
    """

    name: str
    success: str = field(compare=False)
    xml: str = field(compare=False)
    names: tuple[str, ...] = field(compare=False)
    units: tuple[str, ...] = field(compare=False)
    begin: Callable[[Any], Start] = field(compare=False)
    know: Callable[[Scene], Array] = field(compare=False)
    solved: Callable[[Scene], Array] = field(compare=False)
    reward: Callable[[Scene], Array] = field(compare=False)
    has_object: bool = True
    targets: int = 3
    fixture: str = ""


SPREAD = 0.1
"""rad by which joints differ from `DOWN` at the start, at most."""
TOOL = ("tool_x", "tool_y", "tool_z")
TARGET = ("target_x", "target_y", "target_z")
OBJECT = ("object_x", "object_y", "object_z", *(f"object_{axis}_{part}" for axis in "xy" for part in "xyz"))

PRODUCTS = Constant([[2, 1, 1, 1, 1, 2], [2, 2, 3, 2, 1, 3], [3, 0, 0, 0, 3, 0], [3, 3, 2, 3, 3, 1]])
SIGNS = Constant([[1], [1], [-1], [-1], [1], [1]])
"""Of a rotation's first two columns: yy + zz, xy + wz, xz − wy, xy − wz, xx + zz, yz + wx; w, x, y, z are 0, 1, 2, 3.
Halved, and of the first and the fifth what is missing to 1."""


def begin(task: Task, seed: int) -> tuple[Start, np.ndarray]:
    """Where the episode of `seed` begins, and the arm's joints (7,), rad."""
    random = np.random.default_rng(seed)
    return task.begin(random), np.array(DOWN) + random.uniform(-SPREAD, SPREAD, 7)


def pose6(object_: Array) -> Array:
    """(n, 9): position, and the first two axes of the body in the world."""
    one, other, third, fourth = object_[:, 3:7].T[PRODUCTS.like(object_)]
    axes = 2 * (one * other + SIGNS.like(object_) * third * fourth)
    axes[::4] = 1 - axes[::4]
    return joined(object_[:, :3], axes.T)


def joined(*parts: Array) -> Array:
    """(n, …) the columns of `parts` (n, …) side by side."""
    return namespace(parts[0]).concatenate(parts, axis=1)


def distance(here: Array, there: Array) -> Array:
    """(n,) m, from `here` (n, 2 or 3) to `there`."""
    return namespace(here).linalg.norm(here - there, axis=1)


def turned(place: tuple[float, float, float], yaw: float) -> np.ndarray:
    """(7,) position and quaternion of what stands upright, turned by `yaw`, rad."""
    return np.array([*place, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])


def near(away: Array, scale_m: float) -> Array:
    """1 where nothing is `away` (n,), m, falling to 0 over some `scale_m`."""
    return 1 - namespace(away).tanh(away / scale_m)
