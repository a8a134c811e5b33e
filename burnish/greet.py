"""A clip for a G1 that is made here: it waves, looks to both sides, opens its arms and bows; 16 s."""

from __future__ import annotations

import numpy as np

from burnish.clip import Clip
from burnish.quintic import least_jerk
from burnish.unitree import G1

RATE_HZ = 50.0
_RAISED = {
    "right_shoulder_pitch_joint": -1.0, "right_shoulder_roll_joint": -0.7, "right_elbow_joint": 0.3,
    "right_wrist_roll_joint": -0.4,
}  # fmt: skip
_WAVED = _RAISED | {"right_shoulder_yaw_joint": -0.5, "right_elbow_joint": 0.6}
_OPEN = {
    "left_shoulder_pitch_joint": -0.8, "left_elbow_joint": 0.4,
    "right_shoulder_pitch_joint": -0.8, "right_elbow_joint": 0.4,
}  # fmt: skip
_WIDE = {"left_shoulder_roll_joint": 0.8, "right_shoulder_roll_joint": -0.8}
POSES: tuple[tuple[float, dict[str, float]], ...] = (
    (0.0, {}),
    (1.6, _RAISED), (2.3, _WAVED), (3.0, _RAISED), (3.7, _WAVED), (4.4, _RAISED),
    (6.0, {"waist_yaw_joint": 0.5}), (8.0, {"waist_yaw_joint": -0.5}), (9.2, {}),
    (10.6, _OPEN), (11.8, _OPEN | _WIDE), (13.0, _OPEN),
    (14.4, {"waist_pitch_joint": 0.2}), (16.0, {}),
)  # fmt: skip
"""s, and where joints are then (rad) that do not stand."""


def greet() -> Clip:
    """From pose to pose with the least jerk."""
    standing = dict(zip(G1.joints, G1.path[-1], strict=True))
    keys = np.array([[(standing | pose)[joint] for joint in G1.follows] for _, pose in POSES])
    times = np.array([moment for moment, _ in POSES])
    seconds = np.arange(round(times[-1] * RATE_HZ) + 1) / RATE_HZ
    before = np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, len(times) - 2)
    share = ((seconds - times[before]) / np.diff(times)[before])[:, None]
    return Clip("greet", G1.follows, RATE_HZ, keys[before] + least_jerk(share) * (keys[before + 1] - keys[before]))
