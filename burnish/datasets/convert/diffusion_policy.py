"""diffusion_policy's ReplayBuffer (zarr): `data/KEY`, all episodes one after the other, and `meta/episode_ends`.

Also what UMI and 3D Diffusion Policy write that way, as a folder or as .zarr.zip. It says neither units nor rates.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from burnish.contract import ACTION, STATE
from burnish.datasets.convert.arrays import UNREADABLE, ArraysReader, Recorded, Rows
from burnish.datasets.convert.base import End, damage_named
from burnish.datasets.convert.layout import About
from burnish.datasets.convert.meaning import XYZ, Meaning, dotted
from burnish.errors import BurnishError, CorruptFileError

ENDS = "meta/episode_ends"
MARKERS = (".zarray", "zarr.json")
CODECS = ("blosc", "bytes", "bz2", "crc32c", "delta", "gzip", "imagecodecs_", "lz4", "lzma", "sharding_",
          "shuffle", "transpose", "zlib", "zstd")  # fmt: skip
"""How names of codecs begin that only ever give bytes: numcodecs has one that unpickles."""
TIMES = ("timestamp", "timestamps")
MEANINGS: dict[str, Meaning] = {
    "robot_eef_pose": Meaning(STATE, ("m",) * 3 + ("rad",) * 3, "base", (*XYZ, "rx", "ry", "rz")),
    "robot_eef_pose_vel": Meaning(STATE, ("m/s",) * 3 + ("rad/s",) * 3, "base"),
    "robot_joint": Meaning(STATE, ("rad",), "joints"),
    "robot_joint_vel": Meaning(STATE, ("rad/s",), "joints"),
    "robot0_eef_pos": Meaning(STATE, ("m",), "base", dotted("robot0_eef_pos", XYZ)),
    "robot0_eef_rot_axis_angle": Meaning(STATE, ("rad",), "base", dotted("robot0_eef_rot_axis_angle", XYZ)),
    "robot0_gripper_width": Meaning(STATE, ("m",), "joints"),
}
"""What diffusion_policy's and UMI's own recorders write."""


class DiffusionPolicyReader(ArraysReader):
    """A `Reader` of one ReplayBuffer."""

    @staticmethod
    def accepts(path: Path) -> bool:
        """A folder or .zip with `meta/episode_ends`, an array of zarr."""
        if path.is_dir():
            return any((path / ENDS / name).is_file() for name in MARKERS)
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as file:
            return any(f"{ENDS}/{name}" in file.namelist() for name in MARKERS)

    def about(self) -> About:
        """From the shapes of the arrays; the rate from time stamps, where there are some."""
        with _open(self.path) as group:
            arrays = _arrays(group, self.path)
            self._ends = _episode_ends(group, self.path)
            times = next((arrays[name] for name in TIMES if name in arrays), None)
            rate = None if times is None else _rate(times[: self._ends[0]])
            shapes = {key: tuple(one.shape[1:]) for key, one in arrays.items() if key not in TIMES}
        usual = [key for key in shapes if key != "stage" and "_demo_" not in key]
        images = [key for key, shape in shapes.items() if len(shape) == 3 and 3 in (shape[0], shape[-1])]
        return About(
            shapes,
            action=ACTION,
            task=f"real/{self.path.name.partition('.')[0]}",
            usual=usual,
            cameras={key: key for key in images},
            clouds=[key for key in shapes if key == "point_cloud"],
            rate_hz=rate,
            episodes=len(self._ends),
        )

    def meaning(self, key: str, width: int) -> Meaning | None:
        """Of what diffusion_policy's own recorders write; a point cloud only needs its frame."""
        return MEANINGS.get(key)

    def episodes(self) -> Iterator[Recorded]:
        """Between the ends."""
        with _open(self.path) as group:
            arrays = _arrays(group, self.path)
            for number, (start, end) in enumerate(zip([0, *self._ends[:-1]], self._ends, strict=True)):
                rows = {key: Rows(one, start, end) for key, one in arrays.items()}
                yield Recorded(self.path, f"episode {number}", end - start, rows, End("end"))


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """The group `data/` and `meta/` are in. Raises `CorruptFileError` if it is none."""
    try:
        import zarr
        from zarr.storage import LocalStore, ZipStore
    except ImportError as error:
        raise BurnishError(f"{path}: reading zarr needs a package: pip install 'burnish[convert]' ({error})") from error

    for one in path.rglob("*") if path.is_dir() else ():
        if one.is_symlink():
            raise CorruptFileError(f"{one}: a link, which could lead elsewhere; do not trust this recording")
    store = None
    try:
        store = ZipStore(path, mode="r") if path.is_file() else LocalStore(path, read_only=True)
        group = zarr.open_group(store, mode="r")
    except (*UNREADABLE, zipfile.BadZipFile) as error:
        raise CorruptFileError(f"{path}: not a readable zarr group ({error}); copy it again") from error
    try:
        with damage_named(path):
            yield group
    finally:
        store.close()


def _arrays(group: Any, path: Path) -> dict[str, Any]:
    """Key → array under `data`. Raises `CorruptFileError` for one that is damaged, incomplete, or could run code."""
    found: dict[str, Any] = {}
    try:
        for key, one in sorted(group["data"].arrays()):
            _check(f"{path}: data/{key}", one)
            found[key] = one
    except UNREADABLE as error:
        raise CorruptFileError(f"{path}: data: cannot be read ({error}); copy it again") from error
    return found


def _check(where: str, array: Any) -> None:
    names = list(_codecs(json.loads(json.dumps(array.metadata.to_dict(), default=str))))
    strange = [name for name in names if not name.removeprefix("numcodecs.").startswith(CODECS)]
    if array.dtype.kind not in "biuf" or strange:
        raise CorruptFileError(f"{where} is of {array.dtype}, packed by {', '.join(names)}: only numbers are read here")
    missing = array.nchunks - array.nchunks_initialized
    if missing:
        raise CorruptFileError(f"{where}: {missing} of {array.nchunks} chunks are missing; copy it again")


def _codecs(data: Mapping[str, Any]) -> Iterator[str]:
    """Names of all codecs in an array's description, of zarr 2 or 3."""
    for one in [data.get("compressor"), *(data.get("filters") or []), *(data.get("codecs") or [])]:
        if one is not None:
            yield str(one.get("id") or one.get("name"))
            yield from _codecs(one.get("configuration") or {})


def _episode_ends(group: Any, path: Path) -> list[int]:
    try:
        array = group[ENDS]
        _check(f"{path}: {ENDS}", array)
        ends = [int(one) for one in array[:]]
    except UNREADABLE as error:
        raise CorruptFileError(f"{path}: {ENDS}: cannot be read ({error}); copy it again") from error
    if not ends:
        raise BurnishError(f"{path}: no episode in it")
    if min(np.diff([0, *ends])) < 1:
        raise CorruptFileError(f"{path}: {ENDS} does not rise: {ends[:8]} …")
    return ends


def _rate(times: np.ndarray) -> float | None:
    """Whole steps per second."""
    step = float(np.median(np.diff(np.asarray(times, float).ravel()))) if len(times) > 1 else 0.0
    return float(round(1 / step)) if np.isfinite(step) and step > 0 else None
