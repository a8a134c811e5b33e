"""What `burnish envs` says of the walking robots' world."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.needs import Package

_FOLLOWS = "20 s without a fall, mean velocity error below 0.25 m/s"

ABOUT = About(
    "a Unitree Go2 or G1 on a floor, as `burnish deploy --robot unitree-go2` drives it",
    (
        Group(
            ("stand", "velocity"),
            "state 30, environment_state 5: the velocity asked for, a gait's clock",
            "12: joint positions (rad); 50 Hz",
            _FOLLOWS,
        ),
        Group(
            ("g1-stand",),
            "state 64, environment_state 5: the velocity asked for, a gait's clock",
            "29: joint positions (rad); 50 Hz",
            _FOLLOWS,
        ),
        Group(
            ("g1-walk",),
            "state 64, environment_state 5: the velocity asked for, a gait's clock",
            "29: joint positions (rad); 50 Hz",
            "20 s without a fall, mean velocity error below 0.15 m/s, its own swaying averaged out",
        ),
        Group(
            ("g1-track",),
            "state 64, environment_state 34: where a clip has waist and arms (rad), and how fast",
            "29: joint positions (rad); 50 Hz",
            "20 s without a fall, waist and arms within 0.05 rad of the clip on average",
        ),
        Group(
            ("g1-walk-track",),
            "state 64, environment_state 39: as of g1-walk, then as of g1-track",
            "29: joint positions (rad); 50 Hz",
            "20 s without a fall, the worse of both errors, as shares of what they may be, below 1 on average",
        ),
    ),
    (Package("mujoco", "sim-robots"), Package("robosuite_models", "sim-robots")),
)
