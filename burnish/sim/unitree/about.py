"""What `burnish envs` says of the walking robots' world."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.needs import Package

_FOLLOWS = "20 s without a fall, mean velocity error below 0.25 m/s"

ABOUT = About(
    "a Unitree Go2 on a floor, as `burnish deploy --robot unitree-go2` drives it",
    (
        Group(
            ("stand", "velocity"),
            "state 30, environment_state 5: the velocity asked for, a gait's clock",
            "12: joint positions (rad); 50 Hz",
            _FOLLOWS,
        ),
    ),
    (Package("mujoco", "sim-robots"), Package("robosuite_models", "sim-robots")),
)
