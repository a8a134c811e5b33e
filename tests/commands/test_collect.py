"""`burnish collect`: what the command line says to mistakes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from burnish.commands import collect
from burnish.errors import BurnishError, UnknownNameError


def test_an_unknown_expert_is_answered_with_the_closest(tmp_path: Path):
    config = collect.configure(["libero/object", "--out", str(tmp_path / "dataset"), "--expert", "scripted"])
    with pytest.raises(UnknownNameError, match="unknown expert 'script'; did you mean 'scripted'"):
        collect.run(replace(config, expert="script"))
    assert not (tmp_path / "dataset").exists()


def test_what_of_the_world_differs_is_chosen_and_kept(tmp_path: Path):
    out, words = tmp_path / "dataset", ["franka/reach", "--collect.episodes", "2", "--collect.workers", "0"]
    randomize = ["--collect.randomize", "mass", "0.3", "pause", "0.5"]
    collect.run(collect.configure([*words, "--out", str(out), *randomize]))
    made = json.loads((out / "meta" / "collect.json").read_text())
    assert made["config"]["randomize"] == {"mass": 0.3, "pause": 0.5}
    config = collect.configure([*words, "--out", str(tmp_path / "other"), "--collect.randomize", "pauses", "0.5"])
    with pytest.raises(UnknownNameError, match="unknown randomization 'pauses'; did you mean 'pause'"):
        collect.run(config)
    config = collect.configure([*words, "--out", str(out)])
    with pytest.raises(BurnishError, match="randomize"):
        collect.run(config)
