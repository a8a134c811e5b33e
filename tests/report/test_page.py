"""The report: everything in one file, nothing of a run folder taken for markup."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from burnish.cli import main
from burnish.report.charts import Curve, draw, nice_ticks
from burnish.report.page import page
from burnish.report.stages import read_stages, summarize
from burnish.report.tables import duration

EVIL = "<script>alert('x')</script>&\""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs, as the demo leaves it."""
    folder = tmp_path / "demo"
    write(folder / "dataset/meta/collect.json", recorded())
    stage(folder, "imitate", "train", {"name": "meanflow"}, {"loss": 0.01, "steps": 30, "wall_s": 82.3}, "loss")
    stage(folder, "refine", "refine", {"algorithm": "residual"}, {"env_steps": 40_000, "wall_s": 301.0}, "success")
    stage(folder, "export", "export", {}, exported())
    for name, success in (("imitate", 0.54), ("refine", 0.99)):
        stage(folder, f"eval-{name}", "eval", {"checkpoint": f"../{name}/policy"}, judged(success))
        (folder / f"eval-{name}/videos").mkdir()
        (folder / f"eval-{name}/videos/episode_000_success.mp4").write_bytes(b"not really a film")
    return folder


def test_the_page_needs_nothing_from_outside(runs: Path):
    assert main(["report", str(runs)]) == 0
    text = (runs / "report.html").read_text()
    links = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]{1,30})""", text)
    assert links
    assert all(link.startswith("data:") for link in links)
    assert "<script" not in text
    assert "@import" not in text


def test_the_page_says_what_came_of_every_stage(runs: Path):
    text = page(read_stages(runs), "demo")
    assert "Success rose from 54% imitated to 99% refined" in text
    for fact in ("5 min 01 s", "40,000", "100 episodes", "of 13 attempts", "imitation alone", "0.61", "3.1e-07"):
        assert fact in text
    assert text.count("<video") == 2
    assert text.count("<polyline") == 2
    Balanced().feed(text)


def test_nothing_in_a_run_folder_becomes_markup(runs: Path):
    stage(runs, "imitate<b>", "train", {"name": EVIL}, {"wall_s": 1.0, "loss": EVIL}, EVIL + "loss")
    stage(runs, "eval-x", "eval", {"checkpoint": "../imitate<b>/policy", "task": EVIL}, judged(0.5) | {"task": EVIL})
    text = page(read_stages(runs), EVIL)
    assert "<script" not in text
    assert "<b>/" not in text
    assert "alert(" in text


def test_results_pair_a_stage_with_its_evaluation(runs: Path):
    results = summarize(read_stages(runs))
    assert list(results["stages"]) == ["collect", "imitate", "refine", "export"]
    refined = results["stages"]["refine"]
    assert (refined["success"], refined["interval"], refined["episodes"]) == (0.99, [0.9, 1.0], 100)
    assert (refined["env_steps"], refined["wall_s"], refined["latency_ms"]) == (40_000, 301.0, 0.38)
    assert results["totals"]["env_steps"] == 41_700
    assert results["totals"]["wall_s"] == pytest.approx(6.1 + 82.3 + 301.0 + 5.4 + 2 * 21.0)


def test_a_stage_that_is_not_complete_is_shown_as_such(runs: Path):
    (runs / "refine/result.json").unlink()
    assert "refine" not in summarize(read_stages(runs))["stages"]
    assert "not complete" in page(read_stages(runs), "demo")


def test_one_run_alone_has_a_report_too(runs: Path):
    assert main(["report", str(runs / "eval-refine"), "--out", str(runs / "one.html")]) == 0
    assert "99%" in (runs / "one.html").read_text()


def test_a_damaged_run_is_named(runs: Path, capsys):
    (runs / "imitate/result.json").write_text("{")
    assert main(["report", str(runs)]) == 2
    assert "imitate/result.json: not valid JSON" in capsys.readouterr().err


@pytest.mark.parametrize("ys", [[], [math.nan], [0.0, -1.0]])
def test_a_curve_without_points_is_left_out(ys: list[float]):
    assert draw(Curve(range(len(ys)), ys, "steps", log=True)) == ""


@pytest.mark.parametrize("ys", [[1.0], [3.0, 3.0], [1e-9, 1e9], [math.inf, 2.0, math.nan]])
def test_every_coordinate_of_a_curve_is_a_number_inside_the_chart(ys: list[float]):
    for log in (False, True):
        numbers = re.findall(r'points="([^"]*)"', draw(Curve(range(len(ys)), ys, "steps", log=log)))[0]
        assert all(0 <= float(number) <= 440 for number in re.split("[ ,]", numbers))


def test_a_long_curve_is_thinned_but_keeps_its_end():
    text = draw(Curve(range(100_000), [1.0] * 99_999 + [0.5], "steps"))
    assert len(text) < 20_000
    assert draw(Curve([0, 99_999], [1.0, 0.5], "steps")).split("<circle")[1] == text.split("<circle")[1]


def test_ticks_are_round_numbers():
    assert nice_ticks(0, 40_000) == [0, 10_000, 20_000, 30_000, 40_000]
    assert nice_ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_durations_read_well():
    assert [duration(s) for s in (8.4, 59.7, 301, 3720)] == ["8 s", "1 min 00 s", "5 min 01 s", "1 h 02 min"]


class Balanced(HTMLParser):
    """Fails on a tag that is closed but not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "line", "circle", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "circle", "polyline"):
            assert self.open.pop() == tag


def stage(folder: Path, name: str, verb: str, config: dict, result: dict, metric: str = "") -> None:
    write(folder / name / "config.json", {"stage": verb, "config": config})
    write(folder / name / "result.json", result)
    if metric:
        rows = [{"step": step, "wall_s": step, metric: 0.5 - step / 100} for step in range(0, 30, 5)]
        (folder / name / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write(path: Path, data: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def recorded() -> dict:
    result = {"episodes": 10, "frames": 1200, "attempts": 13, "success": 10 / 13, "env_steps": 1700, "wall_s": 6.1}
    return {"config": {"task": "metaworld/peg-insert-side"}, "result": result}


def judged(success: float) -> dict:
    interval = [success - 0.09, min(1.0, success + 0.03)]
    facts = {"task": "metaworld/peg-insert-side", "success": success, "interval": interval, "episodes": 100}
    return facts | {"mean_length": 90.0, "env_steps": 9000, "wall_s": 21.0, "latency_ms": 0.38}


def exported() -> dict:
    latency = {"torch": {"p50_ms": 0.37, "p99_ms": 0.61}, "onnxruntime": {"p50_ms": 0.09, "p99_ms": 0.13}}
    return {"max_abs_difference": 3.1e-7, "latency_ms": 0.09, "latency": latency, "wall_s": 5.4}
