"""`burnish envs`: the list as a user sees it, on every kind of terminal, and as a program reads it."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec

import pytest

from burnish import registry
from burnish.cli import main
from burnish.sim.about import about

EVERY = [f"{name}/{task}" for name in registry.environments.names() for task in about(name).tasks]


def test_a_program_reads_every_task_and_whether_it_runs(capsys):
    assert main(["envs", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["task"] for row in found] == EVERY
    for row in found:
        assert row["observation"] and row["action"] and row["success"]
        assert row["runs"] == (not row["mend"]) == (not row["missing"])
    assert all(row["runs"] for row in found if row["simulator"] == "metaworld") == bool(find_spec("metaworld"))


def test_in_a_pipe_it_is_one_line_per_task(capsys):
    assert main(["envs", "metaworld/reach", "libero/object/3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["metaworld/reach", "metaworld/reach-wall", "libero/object/3"]
    assert all(line.count("\t") == 4 for line in lines)


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_a_terminal_of_any_width_shows_all_of_it(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["envs"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, _plain(text).splitlines())) <= columns
    words = "".join(_plain(text).split())
    # Those that are numbered are shown as a run, "90/0 … 90/89".
    assert all(task.partition("/")[2] in words for task in EVERY if not task[-1].isdecimal())


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_mistyped_name_gets_the_closest(capsys):
    assert main(["envs", "metawrld"]) == 2
    assert "did you mean 'metaworld'" in capsys.readouterr().err
    assert main(["envs", "metaworld/peg-insrt"]) == 2
    assert "did you mean 'metaworld/peg" in capsys.readouterr().err
