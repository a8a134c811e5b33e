"""HDF5 files of strangers: nothing but plain arrays, inside the file itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from burnish.datasets.convert.base import damage_named
from burnish.errors import BurnishError, CorruptFileError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ENDINGS = (".hdf5", ".h5")
DEPTH = 8
"""How deep groups may be nested: hard links can make circles."""


def hdf5_files(path: Path) -> list[Path]:
    """`path` itself if it is HDF5, or those in the folder `path`, by their names."""
    files = sorted(one for one in path.iterdir() if one.suffix in ENDINGS) if path.is_dir() else [path]
    return [one for one in files if one.is_file() and _signature(one) == SIGNATURE]


def looks_like(path: Path, test: Callable[[Any], bool], *, damaged: bool = False) -> bool:
    """Whether the first HDF5 file of `path` passes `test`; `damaged`, if it cannot be opened."""
    files = hdf5_files(path)
    if not files:
        return False
    try:
        with open_hdf5(files[0]) as file:
            return test(file)
    except CorruptFileError:
        return damaged


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """An `h5py.File` to read. Raises `CorruptFileError` if it is truncated, or whatever is read inside is damaged."""
    try:
        import h5py
    except ImportError as error:
        raise BurnishError(f"{path}: reading HDF5 needs h5py: pip install 'burnish[convert]'") from error

    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise CorruptFileError(f"{path}: not a readable HDF5 file ({error}); copy it again") from error
    with file, damage_named(path):
        yield file


def group_of(parent: Any, name: str, path: Path) -> Any:
    """The group `name` of `parent`. Raises `CorruptFileError` if there is none, or only a link to elsewhere."""
    import h5py

    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        raise CorruptFileError(f"{path}: {parent.name.rstrip('/')}/{name} is missing, or a link to elsewhere")
    found = _child(parent, name, path)
    if not isinstance(found, h5py.Group):
        raise CorruptFileError(f"{path}: {found.name} is an array, and should be a group")
    return found


def arrays_of(group: Any, path: Path, prefix: str = "") -> dict[str, Any]:
    """Key → `h5py.Dataset` of every array of numbers under `group`.

    Raises `CorruptFileError` for what is not in the file itself: links, virtual arrays, bytes that are elsewhere.
    """
    import h5py

    if prefix.count("/") > DEPTH:
        raise CorruptFileError(f"{path}: groups in {group.name} are nested too deep")
    found: dict[str, Any] = {}
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise CorruptFileError(f"{path}: {group.name}/{name} is a link to elsewhere; do not trust this file")
        item = _child(group, name, path)
        if isinstance(item, h5py.Group):
            found |= arrays_of(item, path, f"{prefix}{name}/")
        elif item.external or item.is_virtual:
            raise CorruptFileError(f"{path}: the numbers of {item.name} are in another file; do not trust this one")
        elif item.dtype.kind in "biuf" and item.ndim > 0:
            found[prefix + name] = item
    return found


def read_attribute(item: Any, name: str, path: Path) -> str:
    """A text attribute. Raises `CorruptFileError` if it is missing."""
    if name not in item.attrs:
        raise CorruptFileError(f"{path}: {item.name} has no attribute {name!r}")
    value = item.attrs[name]
    return value.decode() if isinstance(value, bytes) else str(value)


def read_json_attribute(item: Any, name: str, path: Path) -> Any:
    """An attribute that is JSON. Raises `CorruptFileError` if it is missing or none."""
    text = read_attribute(item, name, path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CorruptFileError(f"{path}: attribute {name!r} of {item.name} is no JSON ({error})") from error


def numbered(names: Any, begin: str) -> list[str]:
    """Those of `names` that are `begin` and a number, in the order of the numbers."""
    found = [name for name in names if name.startswith(begin) and name.removeprefix(begin).isdecimal()]
    return sorted(found, key=lambda name: int(name.removeprefix(begin)))


def _child(group: Any, name: str, path: Path) -> Any:
    try:
        return group[name]
    except (KeyError, OSError, RuntimeError) as error:
        raise CorruptFileError(f"{path}: {group.name}/{name} cannot be read ({error}); copy it again") from error


def _signature(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(SIGNATURE))
