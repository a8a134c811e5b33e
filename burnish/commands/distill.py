"""`burnish distill [STUDENT]`: one student network in place of a teacher that needs more, or sees more."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from burnish import registry
from burnish.commands import flags, refine
from burnish.rl_finetune.distill import DistillConfig

STUDENT = DistillConfig().name


@dataclass(frozen=True)
class Config:
    """Turn a teacher into one policy: the student acts, the teacher labels, the student imitates."""

    policy: Path
    """Checkpoint of the teacher: a refined pair, or one that knows what only a simulator does."""
    out: Path
    """Folder of the run; the student is its `policy`."""
    dataset: Path | None = None
    """Demonstrations, which say which task."""
    task: str | None = None
    """SIMULATOR/TASK, where there is no dataset."""
    distill: DistillConfig = field(default_factory=DistillConfig)


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one may be the student's kind."""
    name, rest = STUDENT, words
    if words and not words[0].startswith("-"):
        name, rest = flags.take_name(words, "burnish distill", "policy", registry.policies.names())
    return flags.parse(Config, rest, prog=f"burnish distill {name}", distill=_settings(name))


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    return Config(Path(), out, distill=_settings(recorded.get("distill", {}).get("name", STUDENT)))


def run(config: Config) -> dict[str, Any]:
    """Distil, or go on distilling; returns what the algorithm reports and `wall_s`."""
    line = f"Distilling {config.policy}: one network that acts in one step does what the teacher does"
    return refine.improve("distill", "distill", config, config.distill, line)


def _settings(name: str) -> DistillConfig:
    """Defaults for a student of that kind; one that plans chunks plans one action."""
    if name == STUDENT:
        return DistillConfig()
    return DistillConfig(name=name, student=registry.policies.load(name).Config())
