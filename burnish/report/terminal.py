"""The stages as a table in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from burnish.report.stages import Stage, row
from burnish.report.tables import duration, evaluation_rows


def print_stages(stages: Sequence[Stage]) -> None:
    """Success with its interval, episode length, environment steps, wall time and latency of every stage."""
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", box=None, pad_edge=False, header_style="dim")
    for column in ("success", "95 % interval", "length", "env steps", "wall time", "latency"):
        table.add_column(column, justify="right", no_wrap=True)
    for stage in stages:
        if stage.complete:
            table.add_row(*_cells(stage))
    console = Console(highlight=False)
    console.print()
    console.print(table)
    console.print()


def print_evaluation(result: Mapping[str, Any]) -> None:
    """Success of every suite and axis of an evaluation, or of every task if it has one suite; nothing for one task."""
    from rich.console import Console
    from rich.table import Table

    first, rows = evaluation_rows(result)
    if len(rows) < 2:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, overflow="fold")
    columns = ["success", "95 % interval", "episodes", "length"] + ["difference"] * ("axes" in result)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for name, facts in rows:
        interval = "{:.0%} to {:.0%}".format(*facts["interval"])
        cells = [_say(facts["success"], "{:.0%}"), interval, str(facts["episodes"]), f"{facts['mean_length']:.0f}"]
        table.add_row(name, *cells, *[_say(facts.get("difference"), "{:+.0%}")] * ("axes" in result))
    Console(highlight=False).print(table)


def _cells(stage: Stage) -> list[str]:
    facts = row(stage)
    interval = "{:.0%} to {:.0%}".format(*facts["interval"]) if facts["interval"] else "–"
    return [
        stage.name,
        _say(facts["success"], "{:.0%}"),
        interval,
        _say(facts["episode_length"], "{:.0f}"),
        _say(facts["env_steps"], "{:,}"),
        duration(facts["wall_s"] + (facts["eval_wall_s"] or 0.0)),
        _say(facts["latency_ms"], "{:.2g} ms"),
    ]


def _say(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
