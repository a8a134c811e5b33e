"""ManiSkill's trajectories: NAME.h5 of `RecordEpisode` and NAME.json beside it.

https://maniskill.readthedocs.io/en/latest/user_guide/datasets/demos.html#format
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from burnish.contract import ACTION, ENVIRONMENT_STATE, STATE
from burnish.datasets.convert.arrays import ArraysReader, Recorded, Rows
from burnish.datasets.convert.base import End, Options
from burnish.datasets.convert.hdf5 import arrays_of, group_of, looks_like, numbered, open_hdf5
from burnish.datasets.convert.layout import About
from burnish.datasets.convert.meaning import XYZ, Meaning, dotted
from burnish.errors import BurnishError, CorruptFileError
from burnish.files import read_json

CONTROL_HZ = 20.0
"""ManiSkill's `SimConfig.control_freq` unless the environment was made with another."""
POSE = (*XYZ, "qw", "qx", "qy", "qz")
PANDA = ("rad",) * 7 + ("m",) * 2
"""Of the nine joints of ManiSkill's usual robot."""


class ManiSkillReader(ArraysReader):
    """A `Reader` of one .h5 file."""

    def __init__(self, path: Path, options: Options) -> None:
        self._said = read_json(path.with_suffix(".json"))
        super().__init__(path, options)

    @staticmethod
    def accepts(path: Path) -> bool:
        """HDF5 with `traj_0`, `traj_1` …"""
        return path.is_file() and looks_like(path, lambda file: bool(numbered(file, "traj_")))

    def about(self) -> About:
        """From the JSON, and the arrays of the first trajectory."""
        path, said = self.path, self._said
        try:
            info, self._listed = said["env_info"], {f"traj_{one['episode_id']}": one for one in said["episodes"]}
            task, kwargs = f"maniskill/{info['env_id']}", info.get("env_kwargs") or {}
            self._mode = next(iter(self._listed.values()), {}).get("control_mode") or kwargs["control_mode"]
        except (KeyError, TypeError, AttributeError) as error:
            name = path.with_suffix(".json")
            raise CorruptFileError(f"{name}: not of ManiSkill's trajectories ({error!r}); copy it again") from error
        with open_hdf5(path) as file:
            missing = [name for name in self._listed if name not in file]
            if missing or not self._listed:
                raise CorruptFileError(f"{path}: {', '.join(missing[:3]) or 'episodes'} missing; copy it again")
            arrays = _arrays(group_of(file, next(iter(self._listed)), path), path)
            shapes = {key: tuple(one.shape[1:]) for key, one in arrays.items()}
        return About(
            shapes,
            action="actions",
            task=task,
            usual=("actions", "obs", "obs/agent/*", "obs/extra/*", "obs/sensor_data/*/rgb"),
            cameras={key: key.split("/")[-2] for key in shapes if key.endswith("/rgb")},
            rate_hz=float((kwargs.get("sim_config") or {}).get("control_freq", CONTROL_HZ)),
            episodes=len(self._listed),
        )

    def meaning(self, key: str, width: int) -> Meaning | None:
        """Quaternions begin with w. A flat observation is SI units side by side."""
        name = key.rpartition("/")[2]
        if key == "actions":
            return self._commands(width)
        if key == "obs":
            return Meaning(STATE, ("SI",), "as ManiSkill flattens its observations")
        role = STATE if "/agent/" in key or name.startswith("tcp") else ENVIRONMENT_STATE
        if name in ("qpos", "qvel") and width == len(PANDA):
            return Meaning(role, PANDA if name == "qpos" else tuple(f"{one}/s" for one in PANDA), "joints")
        if name.endswith("pose") and width == 7:
            return Meaning(role, ("m",) * 3 + ("1",) * 4, "world", dotted(key, POSE))
        if name.endswith("pos") and width == 3:
            return Meaning(role, ("m",), "world", dotted(key, XYZ))
        if name.startswith("is_") and width == 1:
            return Meaning(role, ("1",), "none")
        return None

    def _commands(self, width: int) -> Meaning | None:
        """Of a target or delta controller each command is a share of what it may do at once; of others, radians."""
        if any(part in self._mode for part in ("delta", "target", "vel")):
            return Meaning(ACTION, ("1",), self._mode, low=-1.0, high=1.0)
        if self._mode == "pd_joint_pos":
            return Meaning(ACTION, (*("rad",) * (width - 1), "1"), self._mode)
        return None

    def episodes(self) -> Iterator[Recorded]:
        """In the order of the JSON."""
        with open_hdf5(self.path) as file:
            for name, said in self._listed.items():
                arrays = _arrays(group_of(file, name, self.path), self.path)
                if "actions" not in arrays:
                    raise CorruptFileError(f"{self.path}: {name} has no actions; copy it again")
                frames = len(arrays["actions"])
                promised = said.get("elapsed_steps", frames)
                if promised != frames:
                    raise CorruptFileError(f"{self.path}: {name} has {frames} actions, {promised} are promised")
                rows = {key: Rows(one, 0, len(one)) for key, one in arrays.items()}
                yield Recorded(self.path, name, frames, rows, End("success" if said.get("success") else "end"))


def _arrays(trajectory: Any, path: Path) -> dict[str, Any]:
    """Actions and observations, without what is only known to the simulator."""
    found = arrays_of(trajectory, path)
    kept = {key: one for key, one in found.items() if key in ("actions", "obs") or key.startswith("obs/")}
    if not any(key.startswith("obs") for key in kept):
        raise BurnishError(
            f"{path}: no observations in it; make them: `python -m mani_skill.trajectory.replay_trajectory "
            f"--traj-path {path.name} -o state --save-traj`"
        )
    return kept
