"""What a task judges, out of the positions and velocities of a physics model; of either library, as `Scene` is."""

from __future__ import annotations

from burnish.arrays import Array
from burnish.sim.franka.kinematics import tool_position
from burnish.sim.franka.model import ARM, FINGER
from burnish.sim.franka.task import Scene, Task, joined

OBJECT, TWIST = slice(9, 16), slice(9, 15)
"""Of `qpos`; of `qvel`."""


def scene(task: Task, qpos: Array, qvel: Array, target: Array) -> Scene:
    """Of n worlds: `qpos` (n, nq), `qvel` (n, nv) and what the task drew."""
    found = {"tool": tool_position(qpos[:, ARM]), "width": opening(qpos), "target": target}
    if task.has_object:
        found["object"] = joined(qpos[:, OBJECT], qvel[:, TWIST])
    return found


def opening(qpos: Array) -> Array:
    """(…,) m, between the fingers."""
    return qpos[..., FINGER].sum(axis=-1)
