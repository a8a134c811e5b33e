"""The tables of the report: stages, and latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from burnish.report.stages import Stage, row

COLUMNS = ("stage", "success", "episode length", "env steps", "wall time", "latency")


def stage_table(stages: Sequence[Stage]) -> str:
    """Success with its interval, episode length, environment steps, wall time and latency of every stage."""
    return _table(COLUMNS, [_stage_cells(stage) for stage in stages])


def latency_table(result: Mapping[str, Any]) -> str:
    """`result["latency"]`, engine by engine (its keys are the columns), and the largest difference between them."""
    latency: Mapping[str, Mapping[str, Any]] = result["latency"]
    columns = list(next(iter(latency.values())))
    rows = [[escape(engine), *(_number(times.get(column)) for column in columns)] for engine, times in latency.items()]
    difference = result.get("max_abs_difference")
    note = f"Largest difference between torch and ONNX Runtime: {difference:.1e}." if difference is not None else ""
    note = f'<p class="note">One observation to one action chunk, on the CPU. {note}</p>'
    return note + _table(("engine", *(column.replace("_ms", ", ms").replace("_", " ") for column in columns)), rows)


def evaluation_table(result: Mapping[str, Any]) -> str:
    """Success of every suite and axis, or of every task of the one suite; empty for a single task."""
    first, rows = evaluation_rows(result)
    if len(rows) < 2:
        return ""
    columns = [first, "success", "episode length"] + ["difference"] * ("axes" in result)
    return _table(columns, [_evaluation_cells(name, row)[: len(columns)] for name, row in rows])


def evaluation_rows(result: Mapping[str, Any]) -> tuple[str, list[tuple[str, Mapping[str, Any]]]]:
    """What the rows of an evaluation are ("task" or "suite"), and each with its name; grouped by axis if it has any."""
    if "axes" in result:
        groups = [("", {}), *((row["axis"], row) for row in result["axes"])]
        rows = []
        for axis, group in groups:
            rows += [(axis, group)] if axis else []
            rows += [("  " * bool(axis) + row["suite"], row) for row in result["suites"] if row["axis"] == axis]
        return "suite", rows
    if "suites" in result:
        return "suite", [(row["suite"], row) for row in result["suites"]]
    return "task", [(row["task"], row) for row in result.get("tasks", [])]


def duration(seconds: float) -> str:
    """Seconds as a person says them: 8 s, 3 min 20 s, 1 h 02 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _stage_cells(stage: Stage) -> list[str]:
    if not stage.complete:
        return [f"{escape(stage.name)}<small>not complete</small>", *[""] * (len(COLUMNS) - 1)]
    facts = row(stage)
    tested = facts["eval_wall_s"]
    return [
        escape(stage.name) + (f"<small>{escape(what)}</small>" if (what := _what(stage)) else ""),
        _success(facts),
        f"{facts['episode_length']:.0f} steps" if facts["episode_length"] is not None else "",
        f"{facts['env_steps']:,}" if facts["env_steps"] is not None else "",
        duration(facts["wall_s"]) + (f"<small>+ {duration(tested)} to evaluate</small>" if tested else ""),
        f"{facts['latency_ms']:.2g} ms" if facts["latency_ms"] is not None else "",
    ]


def _evaluation_cells(name: str, row: Mapping[str, Any]) -> list[str]:
    difference = f"{row['difference']:+.0%}" if "difference" in row else ""
    inset = "&emsp;" * name.startswith(" ")
    return [inset + escape(name.strip()), _success(row), f"{row['mean_length']:.0f} steps", difference]


def _what(stage: Stage) -> str:
    """A word about the stage beside its folder's name."""
    name = stage.config.get("name") or stage.config.get("algorithm")
    if stage.verb == "collect":
        return f"{stage.result.get('episodes')} demonstrations kept"
    return " ".join(str(word) for word in (stage.verb, name) if word and word != stage.name)


def _success(facts: Mapping[str, Any]) -> str:
    if facts["success"] is None:
        return ""
    if facts["interval"] is None:
        return f"{facts['success']:.0%}<small>of {facts['episodes']} attempts</small>"
    low, high = facts["interval"]
    meter = (
        f'<span class="meter"><i style="left:{low:.1%};right:{1 - high:.1%}"></i>'
        f'<u style="left:{facts["success"]:.1%}"></u></span>'
    )
    return f"{facts['success']:.0%}{meter}<small>{low:.0%} to {high:.0%}, {facts['episodes']} episodes</small>"


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else escape(str(value if value is not None else ""))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already. Every cell knows its column, for a narrow page shows each row as a card."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, columns, cells))}</tr>" for cells in rows)
    return f'<table class="card"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(column: str, content: str) -> str:
    if not content:
        return f'<td class="none" data-label="{escape(column)}">–</td>'
    return f'<td data-label="{escape(column)}"><span>{content}</span></td>'
