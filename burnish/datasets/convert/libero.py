"""LIBERO's HDF5 (its `scripts/create_dataset.py`): robomimic's layout, other keys, one file per task of a suite.

Two things are put right. LIBERO writes down what was seen *after* an action beside it; here a step has what was seen
before it. And images are turned as everywhere else in the field, see `burnish.sim.libero.camera`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, override

import numpy as np

from burnish.contract import ACTION, STATE, TASK
from burnish.datasets.convert.arrays import Recorded, Rows
from burnish.datasets.convert.base import End
from burnish.datasets.convert.hdf5 import looks_like, read_attribute, read_json_attribute
from burnish.datasets.convert.layout import About
from burnish.datasets.convert.meaning import Meaning
from burnish.datasets.convert.robomimic import BDDL, RobomimicReader
from burnish.errors import BurnishError, CorruptFileError

STATE_KEYS = ("ee_pos", "ee_ori", "gripper_states")
CAMERAS = {"agentview_rgb": "image", "eye_in_hand_rgb": "image2"}
"""LIBERO's key → our camera, as in the public dataset lerobot/libero."""
SAME_RAD = 0.05
"""Joints that differ less are of the same moment, or of the next."""


class LiberoReader(RobomimicReader):
    """A `Reader` of one task's file, or of a folder of a suite's."""

    @override
    @staticmethod
    def accepts(path: Path) -> bool:
        """`data` knows its BDDL file."""
        return looks_like(path, lambda file: "data" in file and BDDL in file["data"].attrs)

    @override
    def said(self, data: Any, shapes: Mapping[str, tuple[int, ...]], images: set[str], episodes: int) -> About:
        try:
            from burnish.sim.libero.env import RATE_HZ, contract
        except ImportError as error:
            raise BurnishError(f"{self.path} is LIBERO's: pip install 'burnish[convert,libero]' ({error})") from error

        size = shapes[next(iter(images))][0] if self.options.images is None and images else self.options.images or None
        cameras = {key: name for key, name in CAMERAS.items() if key in images}
        given = contract(size if cameras else None)
        kept = given.only([STATE, TASK, *(f"observation.images.{name}" for name in cameras.values())])
        suite, name = _task(data, self.files[0])
        return About(
            shapes,
            action="actions",
            task=f"libero/{suite}" + (f"/{name}" if len(self.files) == 1 else ""),
            usual=(*STATE_KEYS, *CAMERAS),
            cameras=cameras,
            rate_hz=RATE_HZ,
            episodes=episodes,
            instructed=True,
            contract=kept,
        )

    @override
    def meaning(self, key: str, width: int) -> Meaning | None:
        """The names that our environment gives the same numbers."""
        from burnish.sim.libero.env import CONTRACT

        if key == "actions":
            return Meaning(ACTION, CONTRACT.action.unit, CONTRACT.action.frame, CONTRACT.action.names)
        at, field = 0, CONTRACT.observation[STATE]
        for one, count in zip(STATE_KEYS, (3, 3, 2), strict=True):
            if one == key:
                return Meaning(STATE, field.unit[at : at + count], field.frame, field.names[at : at + count])
            at += count
        return None

    @override
    def demonstration(self, demo: Any, path: Path) -> Recorded:
        one, data = super().demonstration(demo, path), demo.parent
        self._upside_down = data.attrs.get("macros_image_convention", "opengl") != "opencv"
        late = _late(demo, data)
        actions = one.arrays["actions"]
        shifted = {**one.arrays, "actions": Rows(actions.array, late, actions.end)}
        return replace(one, arrays=shifted, frames=one.frames - late, instruction=_instruction(data, path))

    @override
    def ending(self, demo: Any) -> End:
        """LIBERO keeps successes only."""
        return End("success")

    @override
    def upright(self, pixels: np.ndarray) -> np.ndarray:
        return pixels[:, ::-1, ::-1] if self._upside_down else pixels[:, :, ::-1]


def _late(demo: Any, data: Any) -> int:
    """By how many steps an observation is later than the action beside it: the simulator's states tell."""
    if "states" in demo and "obs/joint_states" in demo and len(demo["states"]) > 1:
        seen, states = demo["obs/joint_states"][:], demo["states"][:, 1:8]
        now, after = (np.abs(one - other).mean() for one, other in ((seen, states), (seen[:-1], states[1:])))
        if min(now, after) < SAME_RAD:
            return int(after < now)
    return int("macros_image_convention" in data.attrs)  # who records anew what LIBERO recorded leaves that out


def _task(data: Any, path: Path) -> tuple[str, str]:
    """Suite and name of the task, as `burnish.sim.libero.suites` calls them."""
    bddl = Path(read_attribute(data, BDDL, path))
    if bddl.suffix != ".bddl" or not bddl.parent.name:
        raise CorruptFileError(f"{path}: {bddl} is no BDDL file of a suite")
    return bddl.parent.name.removeprefix("libero_"), bddl.stem


def _instruction(data: Any, path: Path) -> str:
    """What our environment says, so that the policy will know it again."""
    from burnish.sim.libero.suites import REWORDED, file_language

    suite, name = _task(data, path)
    if not suite.endswith(REWORDED):
        return file_language(name)
    info = read_json_attribute(data, "problem_info", path)
    return "".join(info.get("language_instruction", "")).strip('"').lower()
