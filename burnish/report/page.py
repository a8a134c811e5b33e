"""One HTML page about the runs in a folder: it needs no network, no script and no file beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from burnish import __version__
from burnish.errors import BurnishError
from burnish.files import atomic_file
from burnish.report.charts import Curve, draw
from burnish.report.stages import Stage, read_stages, row, summarize
from burnish.report.tables import evaluation_table, latency_table, stage_table

# The page may show what it carries and nothing else, whoever wrote the run folder.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:"
MADE_BY = {"train": "Imitation", "refine": "Refined", "distill": "One-step student", "trial": "On the robot"}


def write_report(folder: Path, out: Path) -> None:
    """Write the page about the stages in `folder` to `out`. Raises `BurnishError` if there are none."""
    stages = read_stages(folder) if folder.is_dir() else []
    if not stages:
        raise BurnishError(f"{folder}: no runs there; give a run folder (it has a config.json) or a folder of such")
    with atomic_file(out) as beside:
        beside.write_text(page(stages, folder.name), encoding="utf-8")


def page(stages: Sequence[Stage], name: str) -> str:
    """The whole page as text."""
    title = f"{_task(stages)} · {name}"
    body = [
        f"<header><p>{escape(title)}</p><h1>{escape(headline(stages))}</h1></header>",
        _figures(stages),
        _section("Stages", stage_table(stages)),
        *(_section(title, table) for title, table in _evaluations(stages)),
        _section("Learning curves", _curves(stages)),
        _section("Episodes", _films(stages)),
        *(_section("Latency", latency_table(stage.result)) for stage in stages if stage.result.get("latency")),
        *(_section("Machines", _fleet(stage.result["fleet"])) for stage in stages if stage.result.get("fleet")),
        _section("Settings", "".join(_settings(stage) for stage in stages)),
        f"<footer>burnish {escape(__version__)} · intervals are Wilson 95 % · {_totals(stages)}</footer>",
    ]
    style = files("burnish.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body><main>{''.join(body)}</main></body></html>\n"
    )


def headline(stages: Sequence[Stage]) -> str:
    """One sentence: what success was after each stage."""
    rates = {stage.verb: success for stage in stages if (success := _judged(stage)) is not None}
    said = {verb: f"{success:.0%}" for verb, success in rates.items()}
    if {"train", "refine"} <= said.keys():
        moved = "rose" if rates["refine"] > rates["train"] else "went"
        student = f"; the one-step student reaches {said['distill']}" if "distill" in said else ""
        robot = f", {said['trial']} on the robot" if "trial" in said else ""
        return f"Success {moved} from {said['train']} imitated to {said['refine']} refined{student}{robot}"
    if said:
        return ", ".join(f"{MADE_BY.get(verb, verb.capitalize())}: {value} success" for verb, value in said.items())
    return f"{len(stages)} stage{'s' * (len(stages) > 1)}, none evaluated yet"


def _fleet(told: Mapping[str, Any]) -> str:
    """Rollout workers, and what became of them."""
    line = f"{told['workers']} rollout workers on {told['machines']} machines, {told['lost']} lost on the way."
    events = "".join(f"<li>{escape(event)}</li>" for event in told["events"])
    return f"<p>{line}</p>" + (f"<ul>{events}</ul>" if events else "")


def _judged(stage: Stage) -> float | None:
    return row(stage)["success"] if stage.verb != "collect" else None


def _task(stages: Sequence[Stage]) -> str:
    tasks = [task for stage in stages for task in (stage.result.get("task"), stage.config.get("task")) if task]
    return str(tasks[0]) if tasks else "burnish"


def _figures(stages: Sequence[Stage]) -> str:
    judged = [stage for stage in stages if _judged(stage) is not None]
    best = max((_judged(stage) or 0.0 for stage in judged), default=0.0)
    parts = []
    for stage in judged:
        facts, title = row(stage), MADE_BY.get(stage.verb, stage.name)
        mark = " best" if facts["success"] == best else ""
        parts.append(
            f'<div class="card{mark}"><span>{escape(title)}</span><b>{facts["success"]:.0%}</b>'
            f"<small>of {facts['episodes']} fixed episodes</small></div>"
        )
    return f'<div class="figures">{"".join(parts)}</div>' if parts else ""


def _evaluations(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    """Task by task, or suite by suite, what each evaluated policy does."""
    played = [(stage.name, (stage.evaluation or stage).result) for stage in stages]
    return [(f"Success of {escape(name)}", evaluation_table(result)) for name, result in played]


def _curves(stages: Sequence[Stage]) -> str:
    imitated = next((_judged(stage) for stage in stages if stage.verb == "train"), None)
    parts = []
    for stage in stages:
        for key in sorted({key for line in stage.metrics for key in line}):
            curve = _curve(stage, key, imitated)
            if curve is not None and (drawn := draw(curve)):
                shown = "success while training" if key == "success" else key.replace("_", " ")
                caption = f"{escape(stage.name)} <small>{escape(shown)}</small>"
                parts.append(f'<figure class="card"><figcaption>{caption}</figcaption>{drawn}</figure>')
    return f'<div class="grid">{"".join(parts)}</div>' if parts else ""


def _curve(stage: Stage, key: str, imitated: float | None) -> Curve | None:
    if key != "success" and not key.endswith("loss"):
        return None
    lines = [line for line in stage.metrics if key in line]
    steps = "environment steps" if stage.result.get("env_steps") else "training steps"
    xs, ys = [line["step"] for line in lines], [line[key] for line in lines]
    if key != "success":
        return Curve(xs, ys, steps, log=True)
    compare = ("imitation alone", imitated) if stage.verb == "refine" and imitated is not None else None
    return Curve(xs, ys, steps, percent=True, reference=compare)


def _films(stages: Sequence[Stage]) -> str:
    rows = [[_film(stage.name, path) for path in (stage.evaluation or stage).videos] for stage in stages]
    return "".join(f'<div class="grid films">{"".join(row)}</div>' for row in rows if row)


def _film(stage: str, path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    caption = f"{escape(stage)} <small>{escape(path.stem.replace('_', ' '))}</small>"
    player = f'<video autoplay controls loop muted playsinline src="data:video/mp4;base64,{data}"></video>'
    return f'<figure class="card"><figcaption>{caption}</figcaption>{player}</figure>'


def _settings(stage: Stage) -> str:
    parts: dict[str, Any] = {"config": stage.config, "result": stage.result or "not complete"}
    if stage.evaluation:
        parts["evaluation"] = {"config": stage.evaluation.config, "result": stage.evaluation.result}
    text = escape(json.dumps(parts, indent=2, ensure_ascii=False))
    return f'<details class="card"><summary>{escape(stage.name)}</summary><pre>{text}</pre></details>'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""


def _totals(stages: Sequence[Stage]) -> str:
    totals = summarize(stages)["totals"]
    return f"{totals['env_steps']:,} environment steps, {totals['wall_s'] / 60:.1f} minutes in all"
