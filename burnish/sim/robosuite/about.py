"""What `burnish envs` says of robosuite."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.needs import Package
from burnish.sim.robosuite.tasks import SUCCESS, TASKS, size

ABOUT = About(
    "robosuite 1.4.0: a Panda arm at a table (arXiv 2009.12293)",
    tuple(
        Group(
            (task,),
            observation=f"state 8, environment_state {size(task)}; with --images two cameras",
            action="7: displacement (5 cm) and turn (0.5 rad) of the hand, grip; 20 Hz",
            success=SUCCESS.get(task, "let go of in its bin" if task.startswith("Pick") else "let go of on its peg"),
        )
        for task in TASKS
    ),
    (Package("mujoco", "robosuite"), Package("libero", "robosuite"), Package("robosuite", "robosuite")),
)
