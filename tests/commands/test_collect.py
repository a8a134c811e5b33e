"""`burnish collect`: what the command line says to mistakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from burnish.commands import collect
from burnish.errors import UnknownNameError


def test_an_unknown_expert_is_answered_with_the_closest(tmp_path: Path):
    config = collect.configure(["libero/object", "--out", str(tmp_path / "dataset"), "--expert", "scripted"])
    with pytest.raises(UnknownNameError, match="unknown expert 'script'; did you mean 'scripted'"):
        collect.run(replace(config, expert="script"))
    assert not (tmp_path / "dataset").exists()
