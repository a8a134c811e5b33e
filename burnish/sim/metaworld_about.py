"""What `burnish envs` says of Meta-World."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.metaworld_tasks import TASKS
from burnish.sim.needs import Package

ABOUT = About(
    "Meta-World 3.0: a Sawyer arm on a table (arXiv 1910.10897)",
    (
        Group(
            tuple(TASKS),
            observation="state 39; with --points a cloud as well",
            action="4: displacement of the hand (m), grip; 80 Hz",
            success="Meta-World's own, task by task",
        ),
    ),
    (Package("mujoco", "metaworld"), Package("metaworld", "metaworld")),
)
