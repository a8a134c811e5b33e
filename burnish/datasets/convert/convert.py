"""A recording becomes a LeRobotDataset v3: read once, a frame at a time; a second run goes on after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from burnish import registry
from burnish.console import say
from burnish.contract import Contract
from burnish.datasets.convert.base import End, Options, Reader
from burnish.datasets.convert.staging import INTERVENTION, Staging
from burnish.datasets.store import load_demonstrations, whole_rate, write_episodes
from burnish.errors import BurnishError, CorruptFileError
from burnish.files import read_json, recover_folder, write_json

MOST_FILES = 200
"""Of a recording that are listed one by one."""
RECORD = "convert.json"
"""In the dataset's `meta/`: what it was made of, how each episode ended, and what could not be read."""


def convert(source: Path, out: Path, options: Options) -> dict[str, Any]:
    """Write the dataset `out`, unless it is there; returns `episodes`, `frames`, `short` and `losses`.

    Raises:
        CorruptFileError: the recording is damaged; names the file. Nothing is left behind.
        BurnishError: its format is unknown, it holds no episode, or it lacks what `options` could say.
    """
    identity = _identity(source, options)
    recover_folder(out)
    if out.exists():
        return _finished(out, identity)
    staging = out.absolute().with_name(f".{out.name}.convert")
    reader = open_recording(source, options)
    whole_rate(reader.contract)
    _open_staging(staging, identity, reader.contract)
    try:
        result = _convert(reader, source, out, staging, options, identity)
    except BurnishError:
        shutil.rmtree(staging)
        raise
    shutil.rmtree(staging)
    return result


def open_recording(source: Path, options: Options) -> Reader:
    """The reader of the registered format that `source` has. Raises `BurnishError` with the known ones."""
    if not source.exists():
        raise BurnishError(f"{source}: nothing there; name a recording")
    names = registry.readers.names()
    for name in names:
        reader = registry.readers.load(name)
        if reader.accepts(source):
            return reader(source, options)
    raise CorruptFileError(
        f"{source}: of no format that is known here ({', '.join(names)}), or damaged at its beginning"
    )


def _convert(
    reader: Reader, source: Path, out: Path, staging: Path, options: Options, identity: Mapping[str, Any]
) -> dict[str, Any]:
    shortest = max(round(options.shortest_s * reader.contract.action.rate_hz), 1)
    kept = Staging(staging, reader.contract, reader.task, shortest)
    for frame in reader.frames():
        if isinstance(frame, End):
            kept.end(frame)
        else:
            kept.add(frame)
    episodes = kept.episodes()
    for line in reader.losses.lines:
        say(f"  {line}")
    if not episodes:
        why = f": {reader.losses.lines[-1]}" if reader.losses.lines else ""
        raise BurnishError(f"{source}: no episode of {options.shortest_s:g} s or more{why}")
    result = {
        "episodes": len(episodes),
        "frames": sum(episode["frames"] for episode in episodes),
        "intervention_frames": sum(episode["intervention_frames"] for episode in episodes),
        "verdicts": sum(episode["ended"] == "verdict" for episode in episodes),
        "short": kept.short,
        "losses": reader.losses.lines,
    }
    record = {"config": identity, "result": result, "episodes": episodes}
    say(f"Writing {len(episodes)} episodes as a LeRobotDataset to {out}")
    write_episodes(reader.contract, reader.task, kept.written(), out, {RECORD: record}, (INTERVENTION,))
    return result


def _identity(source: Path, options: Options) -> dict[str, Any]:
    """What decides the result, as JSON gives it back."""
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    sizes = {path.relative_to(source.parent).as_posix(): path.stat().st_size for path in files}
    if len(sizes) > MOST_FILES:  # zarr has one per chunk
        sizes = {"all": sum(sizes.values()), "files": len(sizes)}
    return json.loads(json.dumps({"source": source.name, "bytes": sizes, **asdict(options)}, default=str))


def _open_staging(staging: Path, identity: Mapping[str, Any], contract: Contract) -> None:
    """Episodes that an earlier run finished are kept only if they are of the same recording and settings."""
    path, job = staging / RECORD, {"config": identity, "contract": json.loads(json.dumps(contract.to_json()))}
    if staging.exists() and (not path.exists() or read_json(path) != job):
        shutil.rmtree(staging)
    write_json(path, job)


def _finished(out: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    path = out / "meta" / RECORD
    if not path.exists():
        raise BurnishError(f"{out} exists and was not made by `burnish convert`; choose another folder")
    record = read_json(path)
    theirs = record["config"]
    other = [key for key in {**theirs, **identity} if theirs.get(key) != identity.get(key)]
    if other:
        listed = ", ".join(f"{key}: {theirs.get(key)!r} there, {identity.get(key)!r} now" for key in other)
        raise BurnishError(f"{out} was made of something else ({listed}); delete it or choose another folder")
    load_demonstrations(out, only=())  # damage is named here, not in the middle of training
    say(f"{out}: already complete")
    return record["result"]
