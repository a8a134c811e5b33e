"""`burnish envs`: every task, what it is, and whether it runs on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish.commands import flags
from burnish.sim.about import About, Group, selected

WIDE, FEW = 100, 4
"""A row for every group of tasks wants a terminal so wide, and so few tasks in a group; else facts are lines."""
COLUMNS = ("task", "observation", "action", "success", "runs here")


@dataclass(frozen=True)
class Config:
    """List tasks: `burnish envs`, `burnish envs metaworld`, `burnish envs libero/object franka`."""

    names: Annotated[tuple[str, ...], Suppress, Fixed] = ()
    """SIMULATOR or SIMULATOR/BEGINNING; none stands for all simulators."""
    json: bool = False
    """One JSON object per task, in a list, on standard output."""


def configure(words: list[str]) -> Config:
    """Command line words to a config; those without dashes are names."""
    names = tuple(word for word in words if not word.startswith("-"))
    return flags.parse(Config, [word for word in words if word.startswith("-")], prog="burnish envs", names=names)


def run(config: Config) -> list[dict[str, Any]]:
    """Print the list; returns its rows. Where nobody reads (a pipe), it is one line per task, with tabs."""
    from rich.console import Console

    simulators = selected(config.names)
    found = [row for name, told in simulators.items() for row in rows(name, told)]
    console = Console(highlight=False)
    if config.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    elif not console.is_terminal:
        for row in found:
            print(row["task"], row["observation"], row["action"], row["success"], row["mend"] or "runs", sep="\t")
    else:
        for name, told in simulators.items():
            _print(console, name, told)
    return found


def rows(simulator: str, told: About) -> Iterator[dict[str, Any]]:
    """One plain row per task; `missing` and `mend` are empty where it runs."""
    for group in told.groups:
        lack = told.lack(group)
        for task in group.tasks:
            yield {
                "task": f"{simulator}/{task}",
                "simulator": simulator,
                "observation": group.observation,
                "action": group.action,
                "success": group.success,
                "runs": lack is None,
                "missing": lack.what if lack else "",
                "mend": lack.mend if lack else "",
            }


def _print(console: Any, simulator: str, told: About) -> None:
    from rich.text import Text

    count, lack = len(told.tasks), told.lack()
    console.print(Text.assemble((simulator, "bold"), f"  {told.title}; {count} task{'s' * (count != 1)}"))
    if lack:
        console.print(Text.assemble(("does not run here", "yellow"), f": {lack.what}. ", (lack.mend, "bold")))
    few = all(len(group.tasks) <= FEW for group in told.groups)
    show = _table if few and console.width >= WIDE else _list
    console.print(show([_cells(told, group) for group in told.groups]))
    console.print()


def _cells(told: About, group: Group) -> tuple[str, ...]:
    here, lack = "yes", told.lack(group)
    if lack:
        here = "no" if told.lack() else f"no: {lack.what}. {lack.mend}"
    return "  ".join(_shortened(group.tasks)), group.observation, group.action, group.success, here


def _table(groups: list[tuple[str, ...]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in COLUMNS:
        # A name that is broken cannot be copied.
        table.add_column(column, overflow="fold", no_wrap=column == COLUMNS[0])
    for tasks, *facts in groups:
        table.add_row(tasks.replace("  ", "\n"), *facts)
    return table


def _list(groups: list[tuple[str, ...]]) -> Any:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for number, cells in enumerate(groups):
        if number:
            table.add_row()
        for column, text in zip(COLUMNS, cells, strict=True):
            table.add_row(column, text)
    return table


def _shortened(tasks: tuple[str, ...]) -> Iterator[str]:
    """`tasks` with "90/0 … 90/89" for those of a suite that differ in their number alone."""
    for suite, found in groupby(tasks, key=lambda task: task.rstrip("0123456789")):
        run = list(found)
        yield f"{run[0]} … {run[-1]}" if suite.endswith("/") and len(run) > 2 else "  ".join(run)
