"""The tasks, and what robosuite's sensors tell of their objects. Starts no simulator."""

from __future__ import annotations

Sensors = tuple[tuple[str, int], ...]
"""Name and size of each of robosuite's object sensors, in its order; quaternions are (x, y, z, w)."""


def _relative(*objects: str) -> Sensors:
    parts = (("pos", 3), ("quat", 4), ("to_robot0_eef_pos", 3), ("to_robot0_eef_quat", 4))
    return tuple((f"{name}_{part}", size) for name in objects for part, size in parts)


_CUBES: Sensors = (("cubeA_pos", 3), ("cubeA_quat", 4), ("cubeB_pos", 3), ("cubeB_quat", 4))

TASKS: dict[str, Sensors] = {
    "Lift": (("cube_pos", 3), ("cube_quat", 4), ("gripper_to_cube_pos", 3)),
    "Stack": (*_CUBES, ("gripper_to_cubeA", 3), ("gripper_to_cubeB", 3), ("cubeA_to_cubeB", 3)),
    "PickPlaceCan": _relative("Can"),
    "PickPlaceMilk": _relative("Milk"),
    "PickPlaceBread": _relative("Bread"),
    "PickPlaceCereal": _relative("Cereal"),
    "PickPlace": _relative("Milk", "Bread", "Cereal", "Can"),
    "NutAssemblySquare": _relative("SquareNut"),
    "NutAssemblyRound": _relative("RoundNut"),
    "NutAssembly": _relative("SquareNut", "RoundNut"),
    "Door": (
        *(("door_pos", 3), ("handle_pos", 3), ("door_to_eef_pos", 3), ("handle_to_eef_pos", 3)),
        *(("hinge_qpos", 1), ("handle_qpos", 1)),
    ),
}
"""Robosuite's name → what its sensors tell. Wipe, whose success is not a function of the present state, and the tasks
whose object is drawn anew every time are not among them."""
SUCCESS = {
    "Lift": "cube over 4 cm above the table",
    "Stack": "cube A lifted before, now on cube B and let go",
    "Door": "door open by over 0.3 rad",
}
"""In words; of the others the object is in its bin, or on its peg, and let go."""


def names(task: str) -> tuple[str, ...]:
    """One name per number of the environment state."""
    return tuple(f"{name}_{letter}" for name, size in TASKS[task] for letter in _letters(name, size))


def units(task: str) -> tuple[str, ...]:
    """One unit per number of the environment state."""
    return tuple(_unit(name) for name, size in TASKS[task] for _ in range(size))


def size(task: str) -> int:
    """Numbers of the environment state."""
    return sum(count for _, count in TASKS[task])


def _letters(name: str, size: int) -> tuple[str, ...]:
    return {1: ("angle",), 3: ("x", "y", "z"), 4: ("qx", "qy", "qz", "qw")}[size]


def _unit(name: str) -> str:
    return {"quat": "1", "qpos": "rad"}.get(name.rpartition("_")[2], "m")
