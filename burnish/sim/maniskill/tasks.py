"""The tasks, and what they tell beside the robot's own state. Starts no simulator."""

from __future__ import annotations

from dataclasses import dataclass

LETTERS = {1: ("value",), 3: ("x", "y", "z"), 7: ("x", "y", "z", "qw", "qx", "qy", "qz")}
"""By a quantity's size: a number, a place (m), a pose."""
UNITS = {1: ("1",), 3: ("m",) * 3, 7: ("m",) * 3 + ("1",) * 4}


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        success: when ManiSkill counts it as solved, in words.
        steps: ManiSkill's own horizon.
        told: name and size of each quantity, in its order.
        joints: of the robot; its state is their positions and velocities.
        action: numbers of an action.
    """

    success: str
    steps: int
    told: tuple[tuple[str, int], ...]
    joints: int = 9
    action: int = 7

    @property
    def names(self) -> tuple[str, ...]:
        """One per number of the environment state."""
        return tuple(f"{name}_{letter}" for name, size in self.told for letter in LETTERS[size])

    @property
    def units(self) -> tuple[str, ...]:
        """One per number of the environment state."""
        return tuple(unit for _, size in self.told for unit in UNITS[size])


def _told(**sizes: int) -> tuple[tuple[str, int], ...]:
    return (("tcp_pose", 7), *sizes.items())


_IN_CIRCLE = "cube's middle in its circle"

TASKS: dict[str, Task] = {
    "PushCube-v1": Task(_IN_CIRCLE, 50, _told(goal_pos=3, obj_pose=7)),
    "PullCube-v1": Task(_IN_CIRCLE, 50, _told(goal_pos=3, obj_pose=7)),
    "PullCubeTool-v1": Task("cube within 60 cm of the robot's base", 100, _told(cube_pose=7, tool_pose=7)),
    "StackCube-v1": Task(
        "cube A on cube B, at rest and let go of",
        50,
        _told(cubeA_pose=7, cubeB_pose=7, tcp_to_cubeA_pos=3, tcp_to_cubeB_pos=3, cubeA_to_cubeB_pos=3),
    ),
    "LiftPegUpright-v1": Task("peg upright on the table", 50, _told(obj_pose=7)),
    "PegInsertionSide-v1": Task(
        "peg's head in the hole, at most 1.5 cm before its middle",
        100,
        _told(peg_pose=7, peg_half_size=3, box_hole_pose=7, box_hole_radius=1),
    ),
    "PlugCharger-v1": Task(
        "charger within 5 mm and 0.2 rad of plugged in", 200, _told(charger_pose=7, receptacle_pose=7, goal_pose=7)
    ),
    "RollBall-v1": Task(
        "ball in its circle",
        80,
        _told(goal_pos=3, ball_pose=7, ball_vel=3, tcp_to_ball_pos=3, ball_to_goal_pos=3),
    ),
    "PushT-v1": Task("T covers 90% of its goal", 100, _told(goal_pos=3, obj_pose=7), joints=7, action=6),
}
"""ManiSkill's names. Those that want a download are not among them."""
