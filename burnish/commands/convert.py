"""`burnish convert RECORDING`: what a robot did, recorded in another format, as a LeRobotDataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish.commands import flags, stage
from burnish.console import say
from burnish.datasets.convert.base import Options
from burnish.datasets.convert.convert import convert


@dataclass(frozen=True)
class Config:
    """Convert a recording to a LeRobotDataset v3, its contract beside it."""

    recording: Annotated[Path, Suppress, Fixed]
    """A ROS 2 bag (MCAP), what `burnish deploy` wrote, or data of robomimic, LIBERO, ManiSkill or diffusion_policy."""
    out: Path
    """Folder of the dataset."""
    convert: Options = field(default_factory=Options)


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the recording."""
    recording, rest = flags.take_name(words, "burnish convert", "recording")
    return flags.parse(Config, rest, prog="burnish convert RECORDING", recording=Path(recording))


def run(config: Config) -> dict[str, Any]:
    """Write the dataset; what is in it, and what could not be read."""
    with stage.lock(config.out):
        result = convert(config.recording, config.out, config.convert)
    say(
        f"  {result['episodes']} episodes, {result['frames']} steps, {result['intervention_frames']} by a human; "
        f"{result['verdicts']} episodes ended by a verdict, {result['short']} left out as too short → {config.out}"
    )
    return result
