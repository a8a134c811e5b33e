"""Demonstrations on disk: a LeRobotDataset v3 with its contract beside it.

Written through lerobot's own writer; read straight from the parquet files, which takes milliseconds and
needs neither lerobot nor a network.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from burnish.contract import ACTION, IMAGES, TASK, Contract, Field, encode_text
from burnish.datasets.demonstrations import Demonstrations, instructions
from burnish.errors import BurnishError, CorruptFileError
from burnish.files import atomic_folder, inside, read_json, recover_folder, write_json

CONTRACT_FILE = "contract.json"
INFO_FILE = "meta/info.json"
ENVIRONMENT_FILE = "meta/environment.json"
"""Which environment the demonstrations are of; LeRobot's own tasks are instructions."""
MARKS_FILE = "meta/sha256.json"
"""SHA-256 of every file: parquet itself would hand out altered numbers without a word."""
FORMAT = "v3.0"


class Images(Protocol):
    """Images of `Demonstrations` that were left out of memory."""

    @property
    def fields(self) -> Mapping[str, Field]:
        """Contract key → what it means."""
        ...

    def episode(self, number: int) -> dict[str, np.ndarray]:
        """Contract key → (T, H, W, 3) uint8 of the episode's frames."""
        ...


class Written(NamedTuple):
    """One episode to be written: contract key or mark → (T, …), and what was asked for."""

    values: Mapping[str, np.ndarray]
    text: str


def write_dataset(
    demos: Demonstrations, folder: Path, extra: dict[str, Any] | None = None, images: Images | None = None
) -> None:
    """Write `demos` as `write_episodes` does; `images`: more observations, read one episode at a time."""
    contract = demos.contract
    if images is not None:
        contract = Contract({**contract.observation, **images.fields}, contract.action)
    write_episodes(contract, demos.task, _episodes(demos, images), folder, extra)


def write_episodes(
    contract: Contract,
    task: str,
    episodes: Iterable[Written],
    folder: Path,
    extra: dict[str, Any] | None = None,
    marks: Sequence[str] = (),
) -> None:
    """Write a LeRobotDataset v3 to `folder`, one episode in memory; until the last rename an earlier one stays whole.

    Args:
        task: full name of the environment.
        extra: file name → JSON value, written into the dataset's `meta/` (how it was made).
        marks: names of (T,) bool columns beside what the contract names; policies do not read them.
    """
    fps = whole_rate(contract)
    features = {key: _feature(key, field) for key, field in contract.fields.items() if key != TASK}
    features |= {name: {"dtype": "bool", "shape": (1,), "names": None} for name in marks}
    with atomic_folder(folder) as beside:
        beside.rmdir()  # lerobot insists on making the folder itself
        dataset = _create(f"burnish/{folder.name}", fps, features, beside)
        for one in episodes:
            values = {key: value[:, None] if key in marks else value for key, value in one.values.items()}
            for row in range(len(values[ACTION])):
                dataset.add_frame({key: value[row] for key, value in values.items() if key != TASK} | {TASK: one.text})
            dataset.save_episode()
        dataset.finalize()
        write_json(beside / CONTRACT_FILE, contract.to_json())
        write_json(beside / ENVIRONMENT_FILE, {"task": task})
        for name, data in (extra or {}).items():
            write_json(beside / "meta" / name, data)
        files = sorted(path for path in beside.rglob("*") if path.is_file())
        write_json(beside / MARKS_FILE, {path.relative_to(beside).as_posix(): _sha256(path) for path in files})


def _episodes(demos: Demonstrations, images: Images | None) -> Iterator[Written]:
    values = {**demos.obs, ACTION: demos.action}
    for number, (start, end, text) in enumerate(zip(demos.starts, demos.ends, instructions(demos), strict=True)):
        seen = {} if images is None else images.episode(number)
        yield Written({**{key: value[start:end] for key, value in values.items()}, **seen}, text)


def load_demonstrations(folder: Path, only: Sequence[str] | None = None) -> Demonstrations:
    """Read a whole LeRobotDataset v3 into memory.

    Args:
        only: keys of the observations to read instead of all: images take time and memory.
    Raises:
        CorruptFileError: a file is missing, truncated or altered, or the parts contradict each other.
        ContractError, BurnishError: the dataset has no contract, or not the columns its contract promises.
    """
    recover_folder(folder)
    if not folder.is_dir():
        raise CorruptFileError(f"{folder}: no dataset folder there; make one with `burnish collect`")
    info_path = folder / INFO_FILE
    info = read_json(info_path)
    contract = load_contract(folder)
    _check_marks(folder)
    if not isinstance(info, dict) or info.get("codebase_version") != FORMAT:
        found = info.get("codebase_version") if isinstance(info, dict) else info
        raise CorruptFileError(f"{info_path}: dataset format {found!r}, this version reads LeRobotDataset {FORMAT}")
    _check_features(info, contract, info_path)
    contract = contract if only is None else contract.only(only)
    keys = [key for key in contract.fields if key != TASK]
    columns = _read_columns(folder, [*keys, "episode_index", "task_index"])
    episode_index = columns.pop("episode_index").ravel()
    if len(episode_index) != info.get("total_frames"):
        raise CorruptFileError(
            f"{folder / 'data'}: {len(episode_index)} frames, {info.get('total_frames')} in {INFO_FILE}; "
            "a data file is missing, copy the dataset again"
        )
    lengths = _lengths(episode_index, info.get("total_episodes"), folder)
    values = {key: _shaped(columns[key], key, contract, folder) for key in keys}
    texts = _texts(folder)
    if TASK in contract.observation:
        size = contract.observation[TASK].shape[0]
        values[TASK] = np.stack([encode_text(text, size) for text in texts])[columns["task_index"].ravel()]
    obs = {key: values[key] for key in contract.observation}
    return Demonstrations(contract, _environment(folder, texts), obs, values[ACTION], lengths)


def _feature(key: str, field: Field) -> dict[str, Any]:
    """As LeRobot describes it: images are PNGs inside the table."""
    if key.startswith(IMAGES):
        return {"dtype": "image", "shape": field.shape, "names": ["height", "width", "channels"]}
    return {"dtype": field.dtype, "shape": field.shape, "names": list(field.names)}


def _create(name: str, fps: int, features: dict[str, Any], root: Path) -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    from datasets import disable_progress_bars

    disable_progress_bars()  # one bar per episode, on top of ours
    # Naming the video reader keeps lerobot from trying one that needs a system package, and from a page of warnings.
    return LeRobotDataset.create(name, fps, features, root=root, use_videos=False, video_backend="pyav")


def whole_rate(contract: Contract) -> int:
    """Frames per second. Raises `BurnishError` unless all of `contract` has one whole rate."""
    rates = {field.rate_hz for field in contract.fields.values()}
    rate = rates.pop()
    if rates or rate != int(rate):
        raise BurnishError(
            f"LeRobotDataset has one whole number of frames per second; the contract's rates: {rates | {rate}}"
        )
    return int(rate)


def load_contract(folder: Path) -> Contract:
    """What a dataset's numbers mean. Raises `BurnishError` if it does not say."""
    path = folder / CONTRACT_FILE
    if not path.exists():
        raise BurnishError(
            f"{path}: the file is missing. A LeRobotDataset does not say in which units and frame its numbers are; "
            f"write them down there. Example: the {CONTRACT_FILE} of any dataset that `burnish collect` made"
        )
    return Contract.load(path)


def _check_marks(folder: Path) -> None:
    path = folder / MARKS_FILE
    if not path.exists():
        return  # made by other software: there is nothing to compare with
    for name, mark in read_json(path).items():
        file = inside(folder, name)
        if not file.exists():
            raise CorruptFileError(f"{file}: the file is missing; copy the dataset again")
        if _sha256(file) != mark:
            raise CorruptFileError(f"{file}: its SHA-256 is not the recorded one; truncated or altered, copy it again")


def _check_features(info: dict[str, Any], contract: Contract, path: Path) -> None:
    features = info.get("features", {})
    problems = []
    for key, field in contract.fields.items():
        theirs = features.get(key)
        if key == TASK:
            continue
        if theirs is None:
            problems.append(f"{key}: in {CONTRACT_FILE} only")
        elif tuple(theirs["shape"]) != field.shape:
            problems.append(f"{key}.shape: {tuple(theirs['shape'])} in {INFO_FILE}, {field.shape} in {CONTRACT_FILE}")
    if info.get("fps") != contract.action.rate_hz:
        problems.append(f"rate: {info.get('fps')} fps in {INFO_FILE}, {contract.action.rate_hz} Hz in {CONTRACT_FILE}")
    if problems:
        raise CorruptFileError(f"{path}: does not fit the contract beside it:\n  " + "\n  ".join(problems))


def _read_columns(folder: Path, names: list[str]) -> dict[str, np.ndarray]:
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    files = sorted((folder / "data").glob("chunk-*/file-*.parquet"))
    if not files:
        raise CorruptFileError(f"{folder / 'data'}: no data files; copy the dataset again")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for file in files:
        try:
            table = parquet.read_table(file, columns=names)
            for name in names:
                parts[name].append(_decode(table[name].combine_chunks(), len(table)))
        except (ArrowException, OSError, KeyError, ValueError) as error:
            raise CorruptFileError(f"{file}: not a readable parquet file ({error}); copy the dataset again") from error
    return {name: np.concatenate(values) for name, values in parts.items()}


def _decode(column: Any, rows: int) -> np.ndarray:
    """(rows, numbers per row) of a column of numbers, of (nested) lists of numbers, or of images."""
    if hasattr(column.type, "fields"):
        return np.stack([_pixels(cell["bytes"]) for cell in column.to_pylist()])
    while hasattr(column, "flatten") and hasattr(column.type, "value_type"):
        column = column.flatten()
    return column.to_numpy(zero_copy_only=False).reshape(rows, -1)


def _pixels(png: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png))).ravel()


def _lengths(episode_index: np.ndarray, total: Any, folder: Path) -> np.ndarray:
    """(E,) frames per episode, from the order in which they are stored."""
    edges = np.flatnonzero(np.diff(episode_index)) + 1
    lengths = np.diff([0, *edges, len(episode_index)])
    order = episode_index[[0, *edges]] if len(episode_index) else episode_index
    if not np.array_equal(order, np.arange(total)):
        raise CorruptFileError(f"{folder / 'data'}: episodes {order.tolist()}, expected 0 … {total} - 1 in order")
    return lengths


def _shaped(values: np.ndarray, key: str, contract: Contract, folder: Path) -> np.ndarray:
    field = contract.fields[key]
    if values.shape[1] != np.prod(field.shape):
        raise CorruptFileError(
            f"{folder / 'data'}: {values.shape[1]} numbers per frame of {key!r}, expected {field.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise CorruptFileError(f"{folder / 'data'}: {key!r} is NaN or infinite in frame {bad[0]}")
    return values.reshape(-1, *field.shape).astype(field.dtype)


def _texts(folder: Path) -> list[str]:
    """LeRobot's tasks, in the order of their index."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    path = folder / "meta/tasks.parquet"
    try:
        table = parquet.read_table(path)
        name = next(name for name in table.column_names if name != "task_index")
        rows = sorted(zip(table["task_index"].to_pylist(), table[name].to_pylist(), strict=True))
        return [str(text) for _, text in rows]
    except (ArrowException, OSError, KeyError, StopIteration) as error:
        raise CorruptFileError(f"{path}: not a readable task table ({error}); copy the dataset again") from error


def _environment(folder: Path, texts: list[str]) -> str:
    path = folder / ENVIRONMENT_FILE
    if path.exists():
        return read_json(path)["task"]
    if len(texts) != 1:
        raise CorruptFileError(f'{path}: the file is missing; write {{"task": "SIMULATOR/TASK"}} there')
    return texts[0]  # made before that file was: the instruction was the environment's name


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
