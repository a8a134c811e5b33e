"""`burnish report FOLDER`: one page about the runs in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish.commands import flags
from burnish.console import say
from burnish.report.page import write_report


@dataclass(frozen=True)
class Config:
    """Write one self-contained HTML page about a run folder, or a folder of them."""

    folder: Annotated[Path, Suppress, Fixed]
    """What the page is about."""
    out: Path | None = None
    """The page; by default report.html in the folder."""


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the folder."""
    folder, rest = flags.take_name(words, "burnish report", "folder")
    return flags.parse(Config, rest, prog=f"burnish report {folder}", folder=Path(folder))


def run(config: Config) -> dict[str, Any]:
    """Write the page; returns its path."""
    out = config.out or config.folder / "report.html"
    write_report(config.folder, out)
    say(f"Report: {out}")
    return {"report": str(out)}
