"""What `burnish envs` says of ManiSkill."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.maniskill.tasks import TASKS
from burnish.sim.needs import Package
from burnish.sim.vulkan import Vulkan

ABOUT = About(
    "ManiSkill 3.0.1: a Panda arm on a table (arXiv 2410.00425), on a CPU",
    tuple(
        Group(
            (name,),
            observation=f"state {2 * task.joints}, environment_state {len(task.names)}",
            action=f"{task.action}: displacement (10 cm) and turn (0.1 rad) of the hand, grip if it has one; 20 Hz",
            success=task.success,
        )
        for name, task in TASKS.items()
    ),
    (Package("mani_skill", "maniskill"), Package("sapien", "maniskill"), Vulkan()),
)
