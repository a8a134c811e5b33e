"""Files that are either whole or absent: written beside, flushed to disk, renamed into place."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from burnish.errors import CorruptFileError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed and renamed over `path`.

    On any error the temporary file is removed and an earlier `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        yield beside
        _flush(beside)
        os.replace(beside, path)
        _flush(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path`.

    A kill between the two renames leaves the earlier folder as `.NAME.old`; `recover_folder` brings it back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    recover_folder(path)
    beside = _beside(path)
    beside.mkdir()
    try:
        yield beside
        for file in [*beside.rglob("*"), beside]:
            _flush(file)
        old = _old(path)
        if path.exists():
            os.replace(path, old)
        os.replace(beside, path)
        _flush(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Put back the earlier version of `path` if a kill came between the two renames of `atomic_folder`."""
    old = _old(path)
    if old.exists():
        if path.exists():
            shutil.rmtree(old)
        else:
            os.replace(old, path)


def write_json(path: Path, data: Any) -> None:
    """Write `data` as indented JSON, atomically."""
    with atomic_file(path) as beside:
        beside.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON. Raises `CorruptFileError` that names the file and what is wrong with it."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CorruptFileError(f"{path}: the file is missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptFileError(f"{path}: not valid JSON ({error}); restore the file or make it again") from error


def json_object(text: str, source: str) -> dict[str, Any]:
    """The JSON object that `text` is. Raises `CorruptFileError` that begins with `source` if it is none."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise CorruptFileError(f"{source} is no JSON: {text[:200]!r} ({error})") from error
    if not isinstance(found, dict):
        raise CorruptFileError(f"{source} is {text[:200]!r}, expected a JSON object")
    return found


def fingerprint(data: bytes) -> dict[str, Any]:
    """Size and SHA-256 of a file's content, to be recorded for `read_marked`."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def read_marked(path: Path, mark: Mapping[str, Any]) -> bytes:
    """The content of `path`. Raises `CorruptFileError` unless it is whole and has the fingerprint `mark`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CorruptFileError(f"{path}: the file is missing") from error
    if len(data) != mark["bytes"]:
        found = f"{len(data)} bytes, expected {mark['bytes']}"
        raise CorruptFileError(f"{path}: {found}; the file is truncated, copy it again")
    if fingerprint(data) != mark:
        raise CorruptFileError(f"{path}: its SHA-256 is not the recorded one; the file was altered, copy it again")
    return data


def inside(folder: Path, name: str) -> Path:
    """`folder / name`, refused with `CorruptFileError` if it would leave `folder`."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise CorruptFileError(f"{folder}: the path {name!r} leaves its folder; do not trust this source")
    return path


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _beside(path: Path) -> Path:
    """A free name beside `path`. What killed processes left under such names is removed."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = left.name.split(".")[-3]
        if not process.isdigit() or _alive(int(process)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # someone else's
    return True


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
