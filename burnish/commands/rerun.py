"""`burnish rerun RUN`: the same settings and inputs again, in a folder of its own."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish.commands import flags, stage
from burnish.console import say
from burnish.errors import BurnishError
from burnish.files import read_json


@dataclass(frozen=True)
class Config:
    """Repeat a run with the settings its folder recorded."""

    folder: Annotated[Path, Suppress, Fixed]
    """The run to repeat."""
    out: Path
    """Folder of the new run."""


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the run folder."""
    folder, rest = flags.take_name(words, "burnish rerun", "run")
    return flags.parse(Config, rest, prog=f"burnish rerun {folder}", folder=Path(folder))


def run(config: Config) -> dict[str, Any]:
    """Read what `config.folder` recorded and run that verb into `config.out`."""
    verb, settings = _recorded(config.folder)
    command = importlib.import_module(f"burnish.commands.{verb}")
    again = stage.from_json(command.template(settings, config.out), settings, config.folder)
    say(f"Repeating `burnish {verb}` of {config.folder}")
    return command.run(again)


def _recorded(folder: Path) -> tuple[str, dict[str, Any]]:
    dataset, path = folder / "meta" / "collect.json", folder / "config.json"
    if dataset.exists():
        settings = read_json(dataset)["config"]
        expert = settings.get("expert")  # a path only where a policy showed the task
        shown = {} if expert is None else {"expert": os.path.normpath(folder / expert)}
        return "collect", {"collect": settings} | shown
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("stage"), str) or "config" not in record:
        raise BurnishError(f"{path}: not the record of a run; give the folder of a run or a dataset")
    return record["stage"], record["config"]
