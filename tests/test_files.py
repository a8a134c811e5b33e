"""Files on disk are whole or absent, whatever ends the process in between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from burnish.errors import CorruptFileError
from burnish.files import atomic_file, atomic_folder, inside, read_json, recover_folder, write_json


def test_a_file_keeps_its_old_content_until_the_new_one_is_complete(tmp_path: Path):
    path = tmp_path / "deep" / "data.json"
    write_json(path, {"version": 1})
    with pytest.raises(OSError, match="disk full"), atomic_file(path) as beside:
        beside.write_text('{"version": ')
        raise OSError("disk full")
    assert read_json(path) == {"version": 1}
    assert [entry.name for entry in path.parent.iterdir()] == ["data.json"]


def test_a_folder_keeps_its_old_content_when_writing_the_new_one_fails(tmp_path: Path):
    folder = tmp_path / "policy"
    with atomic_folder(folder) as beside:
        (beside / "weights").write_text("old")
    with pytest.raises(ValueError, match="no"), atomic_folder(folder) as beside:
        (beside / "weights").write_text("new")
        raise ValueError("no")
    assert (folder / "weights").read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["policy"]


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_at_any_rename_leaves_a_whole_folder(tmp_path: Path, renames: int):
    """The process dies right after so many of the renames that replace a folder."""
    folder = tmp_path / "policy"
    code = f"""
import os, pathlib
from burnish.files import atomic_folder
folder, real, done = pathlib.Path({str(folder)!r}), os.replace, 0
def write(text):
    with atomic_folder(folder) as beside:
        (beside / "a").write_text(text)
        (beside / "b").write_text(text)
def dying(*paths):
    global done
    if done == {renames}:
        os._exit(9)
    done += 1
    real(*paths)
write("old")
os.replace = dying
write("new")
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    recover_folder(folder)
    contents = {(folder / name).read_text() for name in ("a", "b")}
    assert contents == ({"new"} if renames == 2 else {"old"})
    with atomic_folder(folder) as beside:
        (beside / "a").write_text("third")
    assert [entry.name for entry in tmp_path.iterdir()] == ["policy"]


def test_broken_json_is_named(tmp_path: Path):
    path = tmp_path / "result.json"
    path.write_text('{"success": 0.')
    with pytest.raises(CorruptFileError, match=r"result\.json: not valid JSON"):
        read_json(path)
    with pytest.raises(CorruptFileError, match=r"nothing\.json: the file is missing"):
        read_json(tmp_path / "nothing.json")


def test_nan_is_not_json(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "link/secret"])
def test_a_name_from_outside_cannot_leave_its_folder(tmp_path: Path, name: str):
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(CorruptFileError, match="leaves its folder"):
        inside(folder, name)
    assert inside(folder, "meta/info.json") == folder / "meta" / "info.json"
