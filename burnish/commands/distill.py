"""`burnish distill`: one student network in place of base and residual."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from burnish.commands import flags, refine
from burnish.rl_finetune.distill import DistillConfig


@dataclass(frozen=True)
class Config:
    """Turn a refined pair into one policy: the student acts, the pair labels, the student imitates."""

    policy: Path
    """Checkpoint of the teacher."""
    dataset: Path
    """Demonstrations; they also say which task."""
    out: Path
    """Folder of the run; the student is its `policy`."""
    distill: DistillConfig = field(default_factory=DistillConfig)


def configure(words: list[str]) -> Config:
    """Command line words to a config."""
    return flags.parse(Config, words, prog="burnish distill")


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    return Config(Path(), Path(), out)


def run(config: Config) -> dict[str, Any]:
    """Distil, or go on distilling; returns what the algorithm reports and `wall_s`."""
    line = f"Distilling {config.policy}: one network that plans in one step does what base and residual do together"
    return refine.improve("distill", "distill", config, config.distill, line)
