"""A stage of work in a folder of its own: locked, resumable, and repeatable from what it wrote down."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from burnish import processes
from burnish.checkpoint import split_format
from burnish.console import say
from burnish.errors import BurnishError
from burnish.files import read_json
from burnish.run import Follower, Run


@contextmanager
def open_stage(verb: str, config: Any) -> Iterator[Run]:
    """The run folder `config.out`, for this process alone.

    Every other field of `config` (a dataclass) is written down there; opening the folder with other settings, or
    after an input changed, is refused. A folder in which nothing was done when an error ended the stage is removed.
    Of several processes of one launch the first has the folder; the others get a `Follower`.
    """
    for name, path in _inputs(config).items():
        if not path.exists():
            raise BurnishError(f"{path}: nothing there; {name} must name an existing folder")
    if processes.rank() > 0:
        yield Follower(config.out, verb, to_json(config))
        return
    with lock(config.out):
        run = Run(config.out, verb, to_json(config))
        try:
            yield run
        except BurnishError:
            if [path.name for path in config.out.iterdir() if path.suffix != ".lock"] == ["config.json"]:
                shutil.rmtree(config.out)
            raise
        finally:
            run.close()


def finished(run: Run) -> dict[str, Any] | None:
    """The result of a stage in which nothing is left to do, after saying so."""
    if run.result is not None:
        say(f"{run.folder}: already complete")
    return run.result


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; raises `BurnishError` if another one works on it. Ends with the process."""
    folder = folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise BurnishError(f"{folder} is a file; choose another --out")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"{folder}: another burnish is working there; wait for it or choose another --out"
            raise BurnishError(message) from error
        yield


def to_json(config: Any) -> dict[str, Any]:
    """Every field but `out` as JSON values. Paths are relative to `out`, so that a folder of runs can be moved,
    and each comes with the fingerprint of what it held."""
    out = config.out.absolute()
    values = _plain(config, out)
    del values["out"]
    return values | {f"{name}_fingerprint": fingerprint(path) for name, path in _inputs(config).items()}


def from_json(template: Any, data: Mapping[str, Any], folder: Path) -> Any:
    """The config that `to_json` wrote in `folder`; `template` gives the types and what `data` leaves out."""
    hints = typing.get_type_hints(type(template))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(template):
        if field.name not in data:
            continue
        value, current = data[field.name], getattr(template, field.name)
        if dataclasses.is_dataclass(current):
            value = from_json(current, value, folder)
        elif isinstance(value, str) and "Path" in str(hints[field.name]):
            value = _moved(Path(value), lambda path: os.path.normpath(folder / path))
        elif isinstance(value, list):
            value = tuple(value)
        values[field.name] = value
    return dataclasses.replace(template, **values)


def fingerprint(made: Path) -> str:
    """Identifies what is in a dataset, a checkpoint or a file: by the SHA-256 sums it carries, else by its own."""
    from hashlib import file_digest, sha256

    for name, part in (("config.json", "files"), ("meta/sha256.json", None)):
        path = made / name
        if path.exists():
            data = read_json(path)
            marks = data.get(part) if part else data
            if marks is not None:
                return sha256(repr(marks).encode()).hexdigest()[:16]
    total = sha256()
    for path in [made] if made.is_file() else sorted(path for path in made.glob("*") if path.is_file()):
        with path.open("rb") as file:
            total.update(path.name.encode() + file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]


def _inputs(config: Any, prefix: str = "") -> dict[str, Path]:
    """The folders that a stage reads, by field; those of its parts as PART.FIELD."""
    found: dict[str, Path] = {}
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            found |= _inputs(value, f"{name}.")
        elif isinstance(value, Path) and name != "out":
            found[name] = split_format(value)[1]
    return found


def _moved(path: Path, move: Callable[[Path], str]) -> Path:
    """`path` with its folder moved; the format before it stays."""
    name, folder = split_format(path)
    return Path(move(folder) if name is None else f"{name}:{move(folder)}")


def _plain(value: Any, out: Path) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), out) for field in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(_moved(value, lambda path: os.path.relpath(path.absolute(), out)))
    return list(value) if isinstance(value, tuple) else value
