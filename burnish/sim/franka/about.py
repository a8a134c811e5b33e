"""What `burnish envs` says of the Franka world."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.franka.tasks import TASKS
from burnish.sim.needs import Package

ABOUT = About(
    "a Franka Research 3 on a table, as `burnish deploy --robot franka` drives it; on CPU threads, "
    'and with settings={"device": "cuda:0"} one batch on a GPU',
    tuple(
        Group(
            (task.name,),
            observation=f"state 15, environment_state {len(task.names)}",
            action="8: joint positions (rad), gripper width (m); 20 Hz",
            success=task.success,
        )
        for task in TASKS.values()
    ),
    (Package("mujoco", "franka-world"), Package("franky_sim", "franka-world")),
)
