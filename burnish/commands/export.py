"""`burnish export CHECKPOINT`: ONNX from observation to physical action, checked against torch, both timed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish.commands import flags, stage
from burnish.console import say
from burnish.policies.export import ExportConfig


@dataclass(frozen=True)
class Config:
    """Write a checkpoint as ONNX, check it against torch, time both."""

    checkpoint: Annotated[Path, Suppress, Fixed]
    """The policy to export."""
    out: Path
    """Folder of the run: policy.onnx and what it takes to run it."""
    export: ExportConfig = field(default_factory=ExportConfig)


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the checkpoint."""
    checkpoint, rest = flags.take_name(words, "burnish export", "checkpoint")
    return flags.parse(Config, rest, prog=f"burnish export {checkpoint}", checkpoint=Path(checkpoint))


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    return Config(Path(), out)


def run(config: Config) -> dict[str, Any]:
    """Export and compare; returns `latency` by engine, `latency_ms` (ONNX Runtime), `max_abs_difference`."""
    from burnish.policies.base import load_policy
    from burnish.policies.export import export

    with stage.open_stage("export", config) as record:
        if done := stage.finished(record):
            return done
        say(f"Exporting {config.checkpoint}: one ONNX file that runs without torch, checked against it")
        result = record.finish(export(load_policy(config.checkpoint), config.out, config.export))
        difference, latency = result["max_abs_difference"], result["latency_ms"]
        say(f"  largest difference {difference:.1e}, {latency:.2g} ms per plan → {config.out / 'policy.onnx'}")
        return result
