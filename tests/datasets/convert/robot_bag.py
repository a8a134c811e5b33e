"""Bags for tests: a toy robot at 20 Hz with one camera, as its topics would arrive."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_typestore

from burnish.contract import STATE, Contract, Field
from burnish.real.recording import Item, Recording

TYPES = get_typestore(Stores.ROS2_KILTED)
JOINTS = ("a", "b")
RATE_HZ = 20.0
CONTRACT = Contract(
    {STATE: Field((2,), JOINTS, ("rad", "rad"), "joints", RATE_HZ, "min_max")},
    Field((2,), JOINTS, ("rad", "rad"), "joints", RATE_HZ, "min_max"),
)
ABOUT = {"robot": {"name": "toy"}, "contract": CONTRACT.to_json(), "cameras": ["wrist"]}
START_NS = 1_800_000_000_000_000_000


def item(topic: str, kind: str, time_ns: int, message: Any) -> Item:
    return Item(topic, kind, time_ns, bytes(TYPES.serialize_cdr(message, kind)))


def joints(topic: str, time_ns: int, position: Any, frame: str = "") -> Item:
    values = np.array(position, float)
    empty = np.zeros(0)
    message = _of("sensor_msgs/msg/JointState")(_header(time_ns, frame), list(JOINTS), values, empty, empty)
    return item(topic, "sensor_msgs/msg/JointState", time_ns, message)


def image(time_ns: int, value: int, late_ns: int = 0) -> Item:
    """Two rows, the upper one of `value`; recorded `late_ns` after it was taken."""
    pixels = np.full((12, 16, 3), value, np.uint8)
    message = _of("sensor_msgs/msg/Image")(_header(time_ns, "wrist"), 12, 16, "rgb8", 0, 48, pixels.ravel())
    return item("/camera/wrist/image", "sensor_msgs/msg/Image", time_ns, message)._replace(time_ns=time_ns + late_ns)


def flag(time_ns: int, value: bool) -> Item:
    return item("/intervention", "std_msgs/msg/Bool", time_ns, _of("std_msgs/msg/Bool")(value))


def verdict(time_ns: int, level: int, text: str, **values: str) -> Item:
    pairs = [_of("diagnostic_msgs/msg/KeyValue")(key, value) for key, value in values.items()]
    message = _of("diagnostic_msgs/msg/DiagnosticStatus")(level, "robot", text, "toy", pairs)
    return item("/robot/verdict", "diagnostic_msgs/msg/DiagnosticStatus", time_ns, message)


def at(step: float) -> int:
    return START_NS + round(step * 1e9 / RATE_HZ)


def steps(first: int, count: int, *, jitter: float = 0.0, seed: int = 0) -> list[Item]:
    """Observation k holds k, an image of value k follows 1 ms later, the command 1000 + k 3 ms later."""
    random, items = np.random.default_rng(seed), []
    for k in range(first, first + count):
        time_ns = at(k + jitter * random.uniform(-1, 1))
        items.append(joints("/observation", time_ns, (k, -k), f"slot:{k}"))
        items.append(image(time_ns + 1_000_000, k % 256, late_ns=40_000_000))
        items.append(joints("/setpoint", time_ns + 3_000_000, (1000 + k, k)))
    return items


def write(folder: Path, items: list[Item], about: Any = ABOUT) -> Path:
    recording = Recording(folder, about)
    for one in sorted(items, key=lambda one: one.time_ns):
        recording.add(one)
    recording.close()
    return folder


def _header(time_ns: int, frame: str) -> Any:
    stamp = _of("builtin_interfaces/msg/Time")(time_ns // 10**9, time_ns % 10**9)
    return _of("std_msgs/msg/Header")(stamp, frame)


def _of(kind: str) -> Any:
    return TYPES.types[kind]


def main() -> None:
    """Record steps in real time into the folder that is named, until killed; says each second how many."""
    recording = Recording(Path(sys.argv[1]), ABOUT)
    began, k = time.time_ns(), 0
    while True:
        for one in steps(k, 1):
            recording.add(one._replace(time_ns=one.time_ns))
        k += 1
        if k % 20 == 0:
            print(k, flush=True)
        time.sleep(max(0.0, (began + k * 5e7 - time.time_ns()) * 1e-9))


if __name__ == "__main__":
    main()
