"""What `burnish envs` says of mjlab."""

from __future__ import annotations

from burnish.sim.about import About, Group
from burnish.sim.needs import Location, Package

MOTION = "MJLAB_MOTION_FILE"
"""Environment variable that names the motion to be tracked."""
_HELD = "pole within 0.2 rad of upright for 5 s on end"
_LIFTED = "cube within 5 cm of its goal"
_WALKED = "20 s without a fall, mean velocity error below 0.25 m/s"
_YAM = "7: joint positions (share of a scale, from the default pose); 50 Hz"


def _legs(joints: int) -> str:
    return f"{joints}: joint positions (share of a scale, from the default pose); 50 Hz"


ABOUT = About(
    "mjlab 1.6.0: batches on MuJoCo-Warp, on a GPU or a CPU",
    (
        Group(("Cartpole-Balance", "Cartpole-Swingup"), "state 5, environment_state 5", "1: force; 20 Hz", _HELD),
        Group(("Lift-Cube-Yam",), "state 29, environment_state 29", _YAM, _LIFTED),
        Group(("Lift-Cube-Yam-Rgb",), "state 26, environment_state 29, a camera's image", _YAM, _LIFTED),
        Group(("Lift-Cube-Yam-Depth",), "state 26, environment_state 29, a camera's depth", _YAM, _LIFTED),
        Group(("Multi-Cube-Seg-Yam",), "state 26, environment_state 26, depth and mask", _YAM, _LIFTED),
        Group(
            ("Velocity-Flat-Unitree-Go1", "Velocity-Rough-Unitree-Go1"),
            "state, environment_state; their sizes depend on the ground",
            _legs(12),
            _WALKED,
        ),
        Group(
            ("Velocity-Flat-Unitree-G1", "Velocity-Rough-Unitree-G1"),
            "state, environment_state; their sizes depend on the ground",
            _legs(29),
            _WALKED,
        ),
        Group(
            ("Tracking-Flat-Unitree-G1", "Tracking-Flat-Unitree-G1-No-State-Estimation"),
            "state, environment_state, the motion's next pose among them",
            _legs(29),
            "10 s without losing the motion",
            (Location(MOTION, "FILE.npz, made by mjlab's csv_to_npz"),),
        ),
    ),
    (Package("mujoco", "mjlab"), Package("mjlab", "mjlab")),
)
