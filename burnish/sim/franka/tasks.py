"""The tasks, by name. One that needs more than a few lines has a file of its own."""

from __future__ import annotations

import numpy as np

from burnish.sim.franka.peg_insert import PEG_INSERT
from burnish.sim.franka.push_t import PUSH_T
from burnish.sim.franka.task import OBJECT, TARGET, TOOL, Scene, Start, Task, near, pose6, turned

REACH_M = 0.02
HALF = 0.02
"""Half the cube's edge, m."""
LIFT_M = 0.10
SPOT = ((0.35, -0.2), (0.6, 0.2))
"""Where the cube may lie: corners (x, y), m."""


def _reach_begin(random: np.random.Generator) -> Start:
    return Start(None, random.uniform((0.3, -0.3, 0.1), (0.6, 0.3, 0.5)))


def _away(scene: Scene) -> np.ndarray:
    return np.linalg.norm(scene["tool"] - scene["target"], axis=1)


REACH = Task(
    "reach",
    f"tool within {100 * REACH_M:g} cm of the target",
    """
    <body name="goal"><geom type="sphere" size="0.02" rgba="0.9 0.2 0.15 1" contype="0" conaffinity="0"/></body>""",
    (*TARGET, *TOOL),
    ("m",) * 6,
    _reach_begin,
    lambda scene: np.concatenate([scene["target"], scene["tool"]], axis=1),
    lambda scene: _away(scene) < REACH_M,
    lambda scene: near(_away(scene), 0.2),
    has_object=False,
    fixture="goal",
)


def _lift_begin(random: np.random.Generator) -> Start:
    x, y = random.uniform(*SPOT)
    return Start(turned((x, y, HALF), random.uniform(-np.pi, np.pi)), np.zeros(0))


def _held(scene: Scene) -> np.ndarray:
    """(n,) m: from the tool to the cube's middle."""
    return np.linalg.norm(scene["tool"] - scene["object"][:, :3], axis=1)


def _lift_solved(scene: Scene) -> np.ndarray:
    height = scene["object"][:, 2] - HALF
    return (height > LIFT_M) & (_held(scene) < HALF)


def _clearance(cube: np.ndarray) -> np.ndarray:
    """(n,) m: from the table to the cube's lowest corner, so that to tilt it is not to lift it."""
    w, x, y, z = cube[:, 3:7].T
    upwards = np.abs([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
    return cube[:, 2] - HALF * upwards.sum(axis=0)


def _lift_reward(scene: Scene) -> np.ndarray:
    """Near the cube, fingers closing around it, up with it: the first millimetres count most."""
    away = _held(scene)
    around = np.exp(-((away / 0.02) ** 2)) * np.clip((0.08 - scene["width"]) / (0.08 - 2 * HALF), 0, 1)
    height = np.sqrt(np.clip(_clearance(scene["object"]) / LIFT_M, 0, 1))
    return 0.25 * near(away, 0.2) + 0.25 * around + 0.5 * height


LIFT = Task(
    "lift",
    f"cube {100 * LIFT_M:g} cm up, in the hand",
    """
    <body name="object" pos="0.5 0 0.02"><freejoint name="object"/>
      <geom name="object" type="box" size="0.02 0.02 0.02" mass="0.05" friction="1.5 0.05 0.001"
            solref="0.005 1" contype="3" conaffinity="3" rgba="0.85 0.3 0.2 1"/></body>""",
    (*OBJECT, *TOOL),
    ("m",) * 3 + ("1",) * 6 + ("m",) * 3,
    _lift_begin,
    lambda scene: np.concatenate([pose6(scene["object"]), scene["tool"]], axis=1),
    _lift_solved,
    _lift_reward,
    targets=0,
)

TASKS: dict[str, Task] = {task.name: task for task in (REACH, LIFT, PUSH_T, PEG_INSERT)}
