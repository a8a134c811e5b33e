"""The tasks that run here, by Isaac Lab's own names, and those that do not, and why. Starts no simulator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        steps: Isaac Lab's own horizon.
        verdict: name in `verdicts.VERDICTS`: what counts as success.
        cameras: whether it has any.
    """

    steps: int
    verdict: str
    cameras: bool = False


WALKERS = ("AnymalD", "Cassie", "G1", "H1", "UnitreeGo2")
CONTRIBUTED = ("AnymalB", "AnymalC", "Digit", "UnitreeA1", "UnitreeGo1")

TASKS: dict[str, Task] = {
    "Isaac-Cartpole": Task(300, "held"),
    "Isaac-Cartpole-Direct": Task(300, "held"),
    "Isaac-Cartpole-Camera": Task(300, "held", cameras=True),
    "Isaac-Ant": Task(960, "survived"),
    "Isaac-Ant-Direct": Task(960, "survived"),
    "Isaac-Humanoid": Task(960, "survived"),
    "Isaac-Humanoid-Direct": Task(960, "survived"),
    "Isaac-Reach-Franka": Task(360, "reached"),
    "Isaac-Reach-UR10": Task(360, "reached"),
    "Isaac-Open-Drawer-Franka": Task(960, "drawer"),
    "Isaac-Open-Drawer-Franka-Direct": Task(960, "opened"),
    **{f"Isaac-Velocity-Flat-{robot}": Task(1000, "walked") for robot in WALKERS},
    **{f"Isaac-Velocity-Rough-{robot}": Task(1000, "walked") for robot in WALKERS},
    **{f"IsaacContrib-Velocity-Flat-{robot}": Task(1000, "walked") for robot in CONTRIBUTED},
    **{f"IsaacContrib-Velocity-Rough-{robot}": Task(1000, "walked") for robot in CONTRIBUTED},
}

COUNTED = (
    "Isaac-Reorient-Cube-Allegro",
    "Isaac-Reorient-Cube-Allegro-Direct",
    "Isaac-Reorient-Cube-Shadow",
    "Isaac-Reorient-Cube-Shadow-Direct",
    "Isaac-Shadow-Handover",
)
"""They count goals, of which there is always a next one: no episode ends in success."""
GROWING = ("Isaac-Lift-Franka", "Isaac-Lift-KukaAllegro", "Isaac-Reorient-KukaAllegro")
"""Their curriculum brings gravity: without it they are others, with it an episode depends on all before."""
