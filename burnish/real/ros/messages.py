"""Standard messages to arrays and back. A plan and what it was made from carry the same mark in `header.frame_id`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from burnish.contract import Field
from burnish.errors import BurnishError

MARK = re.compile(r"slot:(\d+)(?: frozen:(\d+))?")
CHANNELS = {"rgb8": (0, 1, 2), "bgr8": (2, 1, 0), "rgba8": (0, 1, 2), "bgra8": (2, 1, 0), "mono8": (0, 0, 0)}
"""Encoding → which channels are red, green and blue."""
WIDTHS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}


@dataclass(frozen=True)
class Mark:
    """Which request a message belongs to.

    Attributes:
        slot: the request's number; they only ever grow, also when the robot's node starts anew.
        frozen: actions of what is under way that will have been executed when the plan arrives; None without any.
    """

    slot: int
    frozen: int | None = None

    @property
    def text(self) -> str:
        """As it stands in `header.frame_id`."""
        return f"slot:{self.slot}" + ("" if self.frozen is None else f" frozen:{self.frozen}")

    @classmethod
    def parse(cls, text: str) -> Mark:
        """The inverse of `text`. Raises `BurnishError` on anything else."""
        found = MARK.fullmatch(text)
        if found is None:
            raise BurnishError(
                f"header.frame_id {text[:80]!r} is no mark; expected 'slot:<n>' or 'slot:<n> frozen:<d>'"
            )
        slot, frozen = found.groups()
        return cls(int(slot), None if frozen is None else int(frozen))


def observation(mark: Mark, fields: Mapping[str, Field], obs: Mapping[str, np.ndarray], stamp: Time) -> JointState:
    """What a plan is asked from: the vectors `obs` of the contract's `fields`, one after the other."""
    message = JointState(header=Header(stamp=stamp, frame_id=mark.text))
    for key, field in fields.items():
        message.name = [*message.name, *field.names]
        message.position = [*message.position, *np.asarray(obs[key], float).tolist()]
    return message


def told(message: JointState, fields: Mapping[str, Field]) -> dict[str, np.ndarray]:
    """The inverse of `observation`: key → vector. Raises `BurnishError` unless its names are those of `fields`."""
    names = [name for field in fields.values() for name in field.names]
    if list(message.name) != names or len(message.position) != len(names):
        given = f"the names {list(message.name)} and {len(message.position)} numbers"
        raise BurnishError(f"observation: {given}, expected {names}")
    ends = np.cumsum([len(field.names) for field in fields.values()])[:-1]
    return dict(zip(fields, np.split(np.array(message.position, np.float32), ends), strict=True)) if fields else {}


def trajectory(mark: Mark, names: tuple[str, ...], actions: np.ndarray, rate_hz: float, stamp: Time) -> JointTrajectory:
    """Actions (H, A), physical units: action i is to be met (i + 1) / `rate_hz` s after the observation."""
    points = []
    for place, action in enumerate(np.asarray(actions, float), start=1):
        seconds, rest = divmod(round(place / rate_hz * 1e9), 10**9)
        points.append(
            JointTrajectoryPoint(positions=action.tolist(), time_from_start=Duration(sec=seconds, nanosec=rest))
        )
    return JointTrajectory(header=Header(stamp=stamp, frame_id=mark.text), joint_names=list(names), points=points)


def actions(message: JointTrajectory, names: tuple[str, ...]) -> np.ndarray:
    """(H, A) of a trajectory of exactly these `names`.

    Raises `BurnishError` if there is no point, or if the names differ, even if only their order does: whoever sends
    another order than the contract's does not know the contract, and its numbers cannot be trusted.
    """
    if tuple(message.joint_names) != names:
        raise BurnishError(f"joint_names {list(message.joint_names)} differ from the contract's {list(names)}")
    if not message.points:
        raise BurnishError("a trajectory without points")
    rows = [list(point.positions) for point in message.points]
    if any(len(row) != len(names) for row in rows):
        raise BurnishError(f"points of {sorted({len(row) for row in rows})} positions for {len(names)} joint_names")
    return np.array(rows, float).reshape(-1, len(names))


def pixels(message: Image, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W, 3) uint8, red first. Raises `BurnishError` if encoding, size or length are not what is expected."""
    encoding = message.encoding
    if encoding not in CHANNELS:
        raise BurnishError(f"encoding {encoding!r}; known: {', '.join(CHANNELS)}")
    if (message.height, message.width) != shape[:2]:
        raise BurnishError(
            f"{message.width} × {message.height} pixels, the policy reads {shape[1]} × {shape[0]}; let the "
            "camera's node crop and scale it as the training data was"
        )
    row = message.width * WIDTHS[encoding]
    if message.step < row or len(message.data) != message.step * message.height:
        raise BurnishError(f"{len(message.data)} bytes for {message.height} rows of {message.step}")
    data = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)[:, :row]
    return data.reshape(message.height, message.width, -1)[:, :, CHANNELS[encoding]]
