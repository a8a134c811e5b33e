"""robomimic's HDF5 (https://robomimic.github.io/docs/datasets/overview.html): `data/demo_N/{actions, obs/KEY}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from burnish.contract import ACTION, ENVIRONMENT_STATE, STATE
from burnish.datasets.convert.arrays import ArraysReader, Recorded, Rows
from burnish.datasets.convert.base import End, Options
from burnish.datasets.convert.hdf5 import (
    arrays_of,
    group_of,
    hdf5_files,
    looks_like,
    numbered,
    open_hdf5,
    read_json_attribute,
)
from burnish.datasets.convert.layout import About
from burnish.datasets.convert.meaning import QUATERNION, XYZ, Meaning, dotted
from burnish.errors import BurnishError, CorruptFileError

USUAL = ("robot*_eef_pos", "robot*_eef_quat", "robot*_gripper_qpos", "object", "*_image", "*_rgb")
"""What robomimic's own configs read."""
BDDL = "bddl_file_name"
"""Attribute by which LIBERO's files are told from others."""
ROBOSUITE = 1
"""`EnvType` in robomimic."""
MEANINGS: tuple[tuple[str, str, tuple[str, ...], str, str], ...] = (
    (r"robot\d+_(\w+_)?eef_pos", STATE, XYZ, "m", "world"),
    (r"robot\d+_(\w+_)?eef_quat(_site)?", STATE, QUATERNION, "1", "world"),
    (r"robot\d+_(\w+_)?eef_vel_lin", STATE, XYZ, "m/s", "world"),
    (r"robot\d+_(\w+_)?eef_vel_ang", STATE, XYZ, "rad/s", "world"),
    (r"robot\d+_(\w+_)?gripper_qpos", STATE, (), "m", "joints"),
    (r"robot\d+_(\w+_)?gripper_qvel", STATE, (), "m/s", "joints"),
    (r"robot\d+_joint_pos", STATE, (), "rad", "joints"),
    (r"robot\d+_joint_pos_(cos|sin)", STATE, (), "1", "joints"),
    (r"robot\d+_joint_vel", STATE, (), "rad/s", "joints"),
    (r"object|object-state", ENVIRONMENT_STATE, (), "m or 1", "world"),
)
"""Pattern of robosuite's key → role, names of its columns, unit, frame."""


class RobomimicReader(ArraysReader):
    """A `Reader` of one file, or of a folder of them that are alike."""

    def __init__(self, path: Path, options: Options) -> None:
        self.files = hdf5_files(path)
        super().__init__(path, options)

    @staticmethod
    def accepts(path: Path) -> bool:
        """HDF5 with `data`, or so damaged that it cannot be told."""
        return looks_like(path, lambda file: "data" in file and BDDL not in file["data"].attrs, damaged=True)

    def about(self) -> About:
        """From the attributes of the first file, and the arrays of its first demonstration."""
        counts = []
        for path in self.files:
            with open_hdf5(path) as file:
                counts.append(len(numbered(group_of(file, "data", path), "demo_")))
        if not counts[0]:
            raise BurnishError(f"{self.files[0]}: no demonstrations in it")
        with open_hdf5(self.files[0]) as file:
            data = group_of(file, "data", self.files[0])
            arrays = demo_arrays(group_of(data, numbered(data, "demo_")[0], self.files[0]), self.files[0])
            shapes = {key: tuple(one.shape[1:]) for key, one in arrays.items()}
            return self.said(data, shapes, {key for key in arrays if _is_image(arrays[key])}, sum(counts))

    def said(self, data: Any, shapes: Mapping[str, tuple[int, ...]], images: set[str], episodes: int) -> About:
        """What the attributes of the group `data` say."""
        self._controller: Mapping[str, Any] = {}
        args = read_json_attribute(data, "env_args", self.path) if "env_args" in data.attrs else {}
        kwargs = args.get("env_kwargs", {})
        self._controller = _osc(kwargs.get("controller_configs", {})) or {}
        simulator = "robosuite" if args.get("type") == ROBOSUITE else "real"
        return About(
            shapes=shapes,
            action="actions",
            task=f"{simulator}/{args.get('env_name', self.files[0].stem)}",
            usual=USUAL if any(key.startswith("robot0_") for key in shapes) else ("*",),
            cameras={key: re.sub("_(image|rgb)$", "", key) for key in images},
            rate_hz=kwargs.get("control_freq"),
            episodes=episodes,
        )

    def meaning(self, key: str, width: int) -> Meaning | None:
        """robosuite's own keys, and actions of its operational space controller."""
        if key == "actions":
            return self._commands(width)
        for pattern, role, names, unit, frame in MEANINGS:
            if re.fullmatch(pattern, key):
                return Meaning(role, (unit,), frame, dotted(key, names))
        return None

    def _commands(self, width: int) -> Meaning | None:
        """Per arm a displacement, with `OSC_POSE` also a rotation, and the gripper; None for other controllers."""
        said = self._controller
        moves = {"OSC_POSE": 6, "OSC_POSITION": 3}.get(str(said.get("type")), 0)
        if not moves or width % (moves + 1):
            return None
        delta = said.get("control_delta", said.get("input_type") == "delta")
        units, names = ("m",) * 3 + ("rad",) * 3, (*XYZ, "rx", "ry", "rz")
        if delta:
            units = tuple(f"{scale:g} {unit}" for scale, unit in zip(said["output_max"], units, strict=False))
            names = tuple(f"d{name}" for name in names)
        arms = range(width // (moves + 1))
        every = tuple(f"{name}{arm or ''}" for arm in arms for name in (*names[:moves], "gripper"))
        bounds = (-1.0, 1.0) if delta else (None, None)
        return Meaning(ACTION, (*units[:moves], "1") * len(arms), "world", every, *bounds)

    def episodes(self) -> Iterator[Recorded]:
        """Every `demo_N` of every file."""
        for path in self.files:
            with open_hdf5(path) as file:
                data = group_of(file, "data", path)
                for name in numbered(data, "demo_"):
                    yield self.demonstration(group_of(data, name, path), path)

    def demonstration(self, demo: Any, path: Path) -> Recorded:
        """One, as it is stored."""
        arrays = demo_arrays(demo, path)
        if "actions" not in arrays:
            raise CorruptFileError(f"{path}: {demo.name} has no actions")
        promised = int(demo.attrs.get("num_samples", len(arrays["actions"])))
        if promised != len(arrays["actions"]):
            raise CorruptFileError(f"{path}: {demo.name} has {len(arrays['actions'])} actions, {promised} are promised")
        rows = {key: Rows(one, 0, len(one)) for key, one in arrays.items()}
        return Recorded(path, demo.name, promised, rows, self.ending(demo))

    def ending(self, demo: Any) -> End:
        """A reward at the end is a success."""
        rewards = demo.get("rewards")
        solved = rewards is not None and len(rewards) and rewards[-1] > 0
        return End("success" if solved else "end")


def demo_arrays(demo: Any, path: Path) -> dict[str, Any]:
    """Actions and observations of a demonstration."""
    if "obs" not in demo:
        raise BurnishError(f"{path}: {demo.name} has no observations; robomimic's dataset_states_to_obs.py makes them")
    found = arrays_of(group_of(demo, "obs", path), path)
    return found | {key: one for key, one in arrays_of(demo, path).items() if key == "actions"}


def _is_image(array: Any) -> bool:
    return array.ndim == 4 and (array.shape[-1] == 3 or array.shape[1] == 3)


def _osc(config: Any) -> Mapping[str, Any] | None:
    """The first controller in robosuite's (nested, since 1.5) configuration that says how far an action reaches."""
    if not isinstance(config, dict):
        return None
    if "output_max" in config:
        return config
    return next((found for one in config.values() if (found := _osc(one))), None)
