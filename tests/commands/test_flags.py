"""Words to configs: every field is a flag, every mistake has an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from burnish.commands import flags
from burnish.errors import BurnishError, UnknownNameError


@dataclass(frozen=True)
class Learner:
    rate: float = 1e-3
    fused: bool = True
    extra: Mapping[str, Any] = field(default_factory=lambda: {"horizon": 1})


@dataclass(frozen=True)
class Config:
    """Learn something."""

    out: Path
    batch_size: int = 32
    learner: Learner = field(default_factory=Learner)


def parse(*words: str) -> Config:
    return flags.parse(Config, list(words), prog="burnish learn")


def test_every_field_is_a_flag():
    words = [
        "--out",
        "x",
        "--batch-size",
        "8",
        "--learner.rate=0.5",
        "--learner.no-fused",
        "--learner.extra.horizon",
        "4",
    ]
    assert parse(*words) == Config(Path("x"), 8, Learner(0.5, False, {"horizon": 4}))
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= set(flags.flags(Config(Path("x"))))


def test_underscores_are_dashes():
    assert parse("--out", "x", "--batch_size", "8").batch_size == 8


@pytest.mark.parametrize(
    ("flag", "closest"),
    [("--batchsize", "--batch-size"), ("--rate", "--learner.rate"), ("--learner.rat", "--learner.rate")],
)
def test_an_unknown_flag_is_answered_with_the_closest(flag: str, closest: str):
    with pytest.raises(UnknownNameError, match=f"did you mean '{closest}'"):
        parse("--out", "x", flag, "3")


def test_a_missing_setting_is_named(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        parse()
    assert stop.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_help_shows_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        parse("--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("Learn something", "--out", "--learner.rate", "0.001"))


def test_the_first_word_is_a_known_name():
    assert flags.take_name(["b", "--x"], "burnish learn", "thing", ["a", "b"]) == ("b", ["--x"])
    with pytest.raises(UnknownNameError, match="did you mean 'alpha'"):
        flags.take_name(["alpa"], "burnish learn", "thing", ["alpha", "b"])
    with pytest.raises(BurnishError, match="needs the thing as its first word"):
        flags.take_name(["--x", "3"], "burnish learn", "thing", ["a"])
