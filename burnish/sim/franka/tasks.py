"""The tasks, by name. One that needs more than a few lines has a file of its own."""

from __future__ import annotations

import numpy as np

from burnish.arrays import Array, Constant, namespace
from burnish.sim.franka.peg_insert import PEG_INSERT
from burnish.sim.franka.push_t import PUSH_T
from burnish.sim.franka.task import OBJECT, TARGET, TOOL, Scene, Start, Task, distance, joined, near, pose6, turned

REACH_M = 0.02
HALF = 0.02
"""Half the cube's edge, m."""
LIFT_M = 0.10
SPOT = ((0.35, -0.2), (0.6, 0.2))
"""Where the cube may lie: corners (x, y), m."""
GRASP, EMPTY_M = Constant([0.0, 0.0, 0.01]), 0.036
"""From the cube's middle to where the tool best grasps it, clear of the table, m; nothing is between fingers that are
nearer to each other than the other."""


def _reach_begin(random: np.random.Generator) -> Start:
    return Start(None, random.uniform((0.3, -0.3, 0.1), (0.6, 0.3, 0.5)))


def _away(scene: Scene) -> Array:
    return distance(scene["tool"], scene["target"])


REACH = Task(
    "reach",
    f"tool within {100 * REACH_M:g} cm of the target",
    """
    <body name="goal"><geom type="sphere" size="0.02" rgba="0.9 0.2 0.15 1" contype="0" conaffinity="0"/></body>""",
    (*TARGET, *TOOL),
    ("m",) * 6,
    _reach_begin,
    lambda scene: joined(scene["target"], scene["tool"]),
    lambda scene: _away(scene) < REACH_M,
    lambda scene: near(_away(scene), 0.2),
    has_object=False,
    fixture="goal",
)


def _lift_begin(random: np.random.Generator) -> Start:
    x, y = random.uniform(*SPOT)
    return Start(turned((x, y, HALF), random.uniform(-np.pi, np.pi)), np.zeros(0))


def _held(scene: Scene) -> Array:
    """(n,) m: from the tool to the cube's middle."""
    return distance(scene["tool"], scene["object"][:, :3])


def _lift_solved(scene: Scene) -> Array:
    height = scene["object"][:, 2] - HALF
    return (height > LIFT_M) & (_held(scene) < HALF)


def _clearance(cube: Array) -> Array:
    """(n,) m: from the table to the cube's lowest corner, so that to tilt it is not to lift it."""
    (w, x, y, z), xp = cube[:, 3:7].T, namespace(cube)
    upwards = xp.abs(xp.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]))
    return cube[:, 2] - HALF * upwards.sum(axis=0)


def _lift_reward(scene: Scene) -> Array:
    """Near the cube, at last within millimetres; fingers closing, unless on nothing; up with it, first millimetres
    counting most."""
    cube, width, xp = scene["object"], scene["width"], namespace(scene["tool"])
    away = distance(scene["tool"], cube[:, :3] + GRASP.like(cube))
    closed = xp.clip((0.08 - width) / (0.08 - 2 * HALF), 0, 1) * (width > EMPTY_M)
    height = xp.sqrt(xp.clip(_clearance(cube) / LIFT_M, 0, 1))
    reached = 0.15 * near(away, 0.2) + 0.15 * near(away, 0.04)
    return reached + 0.2 * xp.exp(-((away / 0.02) ** 2)) * closed + 0.5 * height


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
    lambda scene: joined(pose6(scene["object"]), scene["tool"]),
    _lift_solved,
    _lift_reward,
    targets=0,
)

TASKS: dict[str, Task] = {task.name: task for task in (REACH, LIFT, PUSH_T, PEG_INSERT)}
