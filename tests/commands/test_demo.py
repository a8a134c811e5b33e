"""The whole road, tiny: killed in the middle, it goes on and repeats nothing that was finished."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from burnish.cli import main

TINY = [
    *("demo", "--task", "metaworld/reach", "--collect.episodes", "2"),
    *("--policy.width", "8", "--train.steps", "12", "--train.batch-size", "16"),
    *("--refine.env-steps", "300", "--refine.warmup-steps", "100", "--refine.log-every", "100"),
    *("--refine.critic-warmup", "5", "--refine.lanes", "4", "--refine.workers", "0"),
    *("--distill.env-steps", "160", "--distill.rounds", "2", "--distill.updates", "4"),
    *("--distill.lanes", "4", "--distill.workers", "0"),
    *("--eval.episodes", "2", "--eval.videos", "1", "--eval.video-size", "32", "--eval.workers", "0"),
]
KEYS = {"success", "interval", "episodes", "env_steps", "wall_s", "latency_ms"}
STAGES = ["collect", "imitate", "refine", "distill", "export"]


@pytest.mark.timeout(300)
def test_a_killed_demo_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "demo"
    words = [*TINY, "--out", str(out)]
    kill_when(words, out / "refine/checkpoint/config.json")
    assert list(json.loads((out / "results.json").read_text())["stages"]) == ["collect", "imitate"]
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*imitate/**/*") if path.is_file()}
    assert finished

    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    errors = capsys.readouterr().err
    for name in ("dataset", "imitate", "eval-imitate"):
        assert f"{out / name}: already complete" in errors
    check_complete(out)

    before = (out / "results.json").read_text()
    assert main(words) == 0
    assert (out / "results.json").read_text() == before

    assert main([*words, "--seed", "1"]) == 2
    assert "seed: 0 there, 1 now" in capsys.readouterr().err


def test_a_mistyped_task_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The next command, without the mistake, must not meet the settings of the one with it."""
    assert main(["demo", "--task", "metaworld/pegg-insert", "--out", str(tmp_path / "demo")]) == 2
    assert "did you mean 'metaworld/peg-insert-side'?" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def kill_when(words: list[str], path: Path) -> None:
    """Run the command and kill it the moment `path` appears."""
    process = subprocess.Popen([sys.executable, "-m", "burnish.cli", *words], stderr=-1, text=True)
    deadline = time.monotonic() + 240
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    _, errors = process.communicate()
    assert path.exists(), errors


def check_complete(out: Path) -> None:
    results = json.loads((out / "results.json").read_text())
    assert list(results["stages"]) == STAGES
    assert all(set(row) >= KEYS for row in results["stages"].values())
    for name in ("imitate", "refine", "distill"):
        row = results["stages"][name]
        assert row["episodes"] == 2
        assert row["interval"][0] <= row["success"] <= row["interval"][1]
        assert row["latency_ms"] > 0
    assert results["stages"]["refine"]["env_steps"] >= 300
    assert results["totals"]["wall_s"] > 0
    report = (out / "report.html").read_text()
    assert report.count("<video") == 3
    assert "metaworld/reach" in report
