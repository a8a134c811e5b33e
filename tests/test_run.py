"""A run folder: what it remembers, and what it refuses."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from burnish.errors import BurnishError, CorruptFileError
from burnish.run import Run, read_metrics


def test_a_stage_is_complete_once_it_has_a_result(tmp_path: Path):
    run = Run(tmp_path / "imitate", "train", {"steps": 10})
    assert run.result is None
    result = run.finish({"loss": 0.5})
    assert result["loss"] == 0.5
    assert Run(tmp_path / "imitate", "train", {"steps": 10}).result == result


def test_other_settings_are_refused_and_named(tmp_path: Path):
    Run(tmp_path, "train", {"steps": 10, "seed": 0, "net": {"width": 8, "depth": 2}})
    with pytest.raises(BurnishError, match=r"\(net\.width: 8 there, 16 now\)"):
        Run(tmp_path, "train", {"steps": 10, "seed": 0, "net": {"width": 16, "depth": 2}})
    with pytest.raises(BurnishError, match="steps: 10 there, 20 now"):
        Run(tmp_path, "train", {"steps": 20, "seed": 0, "net": {"width": 8, "depth": 2}})
    with pytest.raises(BurnishError, match="belongs to the stage 'train'"):
        Run(tmp_path, "refine", {"steps": 10, "seed": 0})
    assert json.loads((tmp_path / "config.json").read_text())["config"]["steps"] == 10


def test_a_damaged_config_is_named(tmp_path: Path):
    Run(tmp_path, "train", {})
    (tmp_path / "config.json").write_text('{"stage": "tr')
    with pytest.raises(CorruptFileError, match=r"config\.json"):
        Run(tmp_path, "train", {})


def test_time_adds_up_over_sessions(tmp_path: Path):
    run = Run(tmp_path, "train", {})
    run.save_clock()
    (tmp_path / "clock.json").write_text('{"wall_s": 100.0, "cpu_s": 60.0}')
    run = Run(tmp_path, "train", {})
    assert run.wall_s >= 100.0 and run.cpu_s >= 60.0


def test_time_of_computing_is_not_that_of_waiting(tmp_path: Path):
    run = Run(tmp_path, "train", {})
    time.sleep(0.3)
    result = run.finish({})
    assert result["cpu_s"] < 0.2 < result["wall_s"]


def test_metrics_survive_a_line_cut_off_by_a_kill(tmp_path: Path):
    run = Run(tmp_path, "train", {})
    for step in (10, 20, 30):
        run.log(step, loss=1.0 / step)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')
    assert [row["step"] for row in read_metrics(tmp_path)] == [10, 20, 30]
    run.rewind(20)
    run.log(30, loss=0.5)
    assert [(row["step"], row["loss"]) for row in read_metrics(tmp_path)][-1] == (30, 0.5)
    assert list((tmp_path / "tensorboard").glob("events*"))
