"""Peg-insert: a square peg that stands on the table is put into a hole, 2 mm wider on either side."""

from __future__ import annotations

import numpy as np

from burnish.arrays import Array, namespace
from burnish.sim.franka.task import OBJECT, TOOL, Scene, Start, Task, distance, joined, near, pose6, turned

SIDE, TALL = 0.024, 0.10
"""Of the peg, m."""
PLAY = 0.002
"""Between peg and hole on either side, m."""
WALL, DEEP = 0.016, 0.05
"""Of the block around the hole, m: how thick, and how high, which is how deep the hole is."""
INSIDE = 0.01
"""The peg's foot is at most that high above the table when it is inserted, m."""
PEGS, HOLES = ((0.35, -0.2), (0.55, -0.05)), ((0.4, 0.06), (0.55, 0.2))
"""Where the peg stands and where the hole is: corners (x, y), m."""
TURN = np.pi / 4
"""rad, by which the hole is turned at most."""


def _begin(random: np.random.Generator) -> Start:
    peg = turned((*random.uniform(*PEGS), TALL / 2), random.uniform(-np.pi, np.pi))
    hole = turned((*random.uniform(*HOLES), 0.0), random.uniform(-TURN, TURN))
    return Start(peg, hole)


def _know(scene: Scene) -> Array:
    hole = pose6(scene["target"])
    return joined(pose6(scene["object"]), scene["tool"], hole[:, :5])


def _inserted(scene: Scene) -> Array:
    """Upright, its foot in the hole and near its bottom."""
    aside, foot = _foot(scene)
    return (aside < 2 * PLAY) & (foot < INSIDE)


def _foot(scene: Scene) -> tuple[Array, Array]:
    """(n,) m: how far the middle of the peg's foot is from the hole's axis, and how high."""
    pose = pose6(scene["object"])
    up = namespace(pose).linalg.cross(pose[:, 3:6], pose[:, 6:9])
    foot = pose[:, :3] - TALL / 2 * up
    return distance(foot[:, :2], scene["target"][:, :2]), foot[:, 2]


def _reward(scene: Scene) -> Array:
    """Grasped, brought above the hole, lowered into it."""
    aside, foot = _foot(scene)
    reached = near(distance(scene["tool"], scene["object"][:, :3]), 0.1)
    lowered = (aside < 2 * PLAY) * namespace(foot).clip(1 - foot / DEEP, 0, 0.99)
    return 0.3 * reached + 0.3 * near(aside, 0.1) + 0.4 * lowered


def _walls() -> str:
    """Four boxes around the hole."""
    inner = SIDE / 2 + PLAY
    middle, outer = inner + WALL / 2, inner + WALL
    places = [
        (f"{sign * middle} 0", f"{WALL / 2} {outer}") if along == 0 else (f"0 {sign * middle}", f"{inner} {WALL / 2}")
        for along in (0, 1)
        for sign in (-1, 1)
    ]
    return "".join(
        f'<geom type="box" pos="{place} {DEEP / 2}" size="{size} {DEEP / 2}" friction="0.3 0.005 0.0001" '
        f'solref="0.005 1" contype="1" conaffinity="2" rgba="0.35 0.45 0.65 1"/>'
        for place, size in places
    )


PEG_INSERT = Task(
    "peg-insert",
    f"peg upright in the hole, its foot within {100 * INSIDE:g} cm of the bottom",
    f"""
    <body name="object" pos="0.45 -0.1 {TALL / 2}"><freejoint name="object"/>
      <geom name="object" type="box" size="{SIDE / 2} {SIDE / 2} {TALL / 2}" mass="0.06" friction="1 0.005 0.0001"
            solref="0.005 1" contype="3" conaffinity="3" rgba="0.85 0.3 0.2 1"/></body>
    <body name="hole" pos="0.45 0.1 0">{_walls()}</body>""",
    (*OBJECT, *TOOL, "hole_x", "hole_y", "hole_z", "hole_x_x", "hole_x_y"),
    ("m",) * 3 + ("1",) * 6 + ("m",) * 6 + ("1",) * 2,
    _begin,
    _know,
    _inserted,
    _reward,
    targets=7,
    fixture="hole",
)
