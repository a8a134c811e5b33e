"""Reads a folder of runs: what each stage did, and the evaluation that belongs to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from burnish.files import read_json
from burnish.run import read_metrics

ORDER = ("collect", "train", "refine", "distill", "export", "eval", "trial")
"""The road from demonstrations to a deployable policy."""
JUDGING = ("eval", "trial")
"""What makes nothing but numbers."""


@dataclass(frozen=True)
class Stage:
    """One run folder or dataset.

    Attributes:
        name: the folder's, or "collect" for a dataset.
        verb: what made it.
        result: what `result.json` holds; empty while the stage is not complete.
        metrics: the rows of `metrics.jsonl`.
        evaluation: the stage that evaluated this one's policy, if there is one.
    """

    name: str
    verb: str
    folder: Path
    config: dict[str, Any]
    result: dict[str, Any]
    metrics: list[dict[str, Any]] = field(default_factory=list)
    evaluation: Stage | None = None

    @property
    def complete(self) -> bool:
        """Whether the stage came to its end."""
        return bool(self.result)

    @property
    def videos(self) -> list[Path]:
        """Its recorded episodes."""
        return sorted((self.folder / "videos").glob("*.mp4"))


def read_stages(folder: Path) -> list[Stage]:
    """The stages in `folder` (itself one, or its subfolders), in the order of the road.

    An evaluation is attached to the stage whose policy it played, if that one is there too.
    """
    own = _read(folder)
    if own is not None and own.verb != "demo":
        return [own]
    found = [stage for path in sorted(folder.iterdir()) if path.is_dir() and (stage := _read(path))]
    evaluations = {_checkpoint(stage): stage for stage in found if stage.verb == "eval"}
    makers = [_attach(stage, evaluations) for stage in found if stage.verb != "eval"]
    taken = {stage.evaluation.folder for stage in makers if stage.evaluation}
    loose = [stage for stage in evaluations.values() if stage.folder not in taken]
    return sorted([*makers, *loose], key=lambda stage: (ORDER.index(stage.verb), stage.name))


def summarize(stages: Iterable[Stage]) -> dict[str, Any]:
    """`results.json`: per stage `success`, `interval`, `episodes`, `env_steps`, `wall_s`, `latency_ms`, and totals.

    `wall_s` of a stage is what making it took; `eval_wall_s` what evaluating it took. None where it does not apply.
    """
    rows = {stage.name: row(stage) for stage in stages if stage.complete}
    made = sum(value["wall_s"] for value in rows.values())
    played = sum(value["eval_wall_s"] or 0.0 for value in rows.values())
    env_steps = sum(value["env_steps"] or 0 for value in rows.values())
    return {"stages": rows, "totals": {"wall_s": round(made + played, 2), "env_steps": env_steps}}


def row(stage: Stage) -> dict[str, Any]:
    """What the table and `results.json` say about one stage."""
    played = stage if stage.verb in JUDGING else stage.evaluation
    judged = played.result if played else {}
    own = stage.result
    return {
        "success": judged.get("success", own.get("success") if stage.verb == "collect" else None),
        "interval": judged.get("interval"),
        "episodes": judged.get("episodes", own.get("attempts")),
        "episode_length": judged.get("mean_length"),
        "env_steps": own.get("env_steps"),
        "wall_s": own.get("wall_s", 0.0),
        "eval_wall_s": stage.evaluation.result.get("wall_s") if stage.evaluation else None,
        "latency_ms": judged.get("latency_ms", own.get("latency_ms")),
    }


def _read(folder: Path) -> Stage | None:
    dataset, config = folder / "meta" / "collect.json", folder / "config.json"
    if dataset.exists():
        data = read_json(dataset)
        return Stage("collect", "collect", folder, data["config"], data["result"])
    if not config.exists():
        return None
    data = read_json(config)
    if not isinstance(data, dict) or "stage" not in data:
        return None
    done = folder / "result.json"
    result = read_json(done) if done.exists() else {}
    return Stage(folder.name, data["stage"], folder, data["config"], result, read_metrics(folder))


def _checkpoint(stage: Stage) -> str:
    return os.path.normpath(stage.folder / str(stage.config.get("checkpoint", "")))


def _attach(stage: Stage, evaluations: dict[str, Stage]) -> Stage:
    played = evaluations.get(os.path.normpath(stage.folder / "policy"))
    return Stage(stage.name, stage.verb, stage.folder, stage.config, stage.result, stage.metrics, played)
