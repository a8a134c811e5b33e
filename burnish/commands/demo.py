"""`burnish demo`: the whole road once. Every stage is the verb of that name, in a folder of its own under `out`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from burnish.commands import collect, distill, export, flags, refine, report, stage, train, trial
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.eval import EvalConfig
from burnish.commands.export import ExportConfig
from burnish.commands.trial import TrialConfig
from burnish.console import say
from burnish.errors import BurnishError
from burnish.files import write_json
from burnish.policies.meanflow import MeanFlowConfig
from burnish.policies.train import TrainConfig
from burnish.report.stages import read_stages, summarize
from burnish.report.terminal import print_stages
from burnish.rl_finetune.critics import LearnerConfig
from burnish.rl_finetune.distill import DistillConfig
from burnish.rl_finetune.residual import ResidualConfig
from burnish.run import Run


@dataclass(frozen=True)
class Config:
    """Demonstrations, imitation, reinforcement learning, one-step student, ONNX, report: the whole road once."""

    task: str = "metaworld/peg-insert-side"
    """SIMULATOR/TASK."""
    out: Path = Path("runs/demo")
    """Folder of all stages; run the command again to go on after an interruption."""
    seed: int = 0
    """Added to every stage's own seed; the episodes of the evaluation stay the same."""
    collect: Recording = field(default_factory=Recording)
    policy: MeanFlowConfig = field(default_factory=MeanFlowConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(steps=400))
    """Imitation stops while it solves about half of the episodes, so that there is something to refine."""
    refine: ResidualConfig = field(default_factory=ResidualConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    robot: str | None = None
    """Where the student is tried at the end, through driver and safety: franka, with a task of that name."""
    sim: bool = False
    """The simulated robot. A real one has nobody who lays things out for a hundred episodes: `burnish deploy`."""
    trial: TrialConfig = field(default_factory=TrialConfig)


RECIPES: dict[str, dict[str, Any]] = {
    "franka": {
        "policy": MeanFlowConfig(horizon=16, replan=8),
        "train": TrainConfig(steps=2_500),
        "refine": ResidualConfig(noise_memory=0.8, learner=LearnerConfig(judged="gain")),
    },
}
"""Other defaults of the tasks of a simulator: an arm at 20 actions a second looks again after 0.4 s, and what one
correction of a set point does is too little to be learned by its value alone."""


def configure(words: list[str]) -> Config:
    """Command line words to a config."""
    named = [after for word, after in pairwise([*words, ""]) if word == "--task"]
    named += [word.removeprefix("--task=") for word in words if word.startswith("--task=")]
    recipe = RECIPES.get(named[-1].partition("/")[0], {}) if named else {}
    return flags.parse(Config, words, prog="burnish demo", **recipe)


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    return Config(out=out)


def run(config: Config) -> dict[str, Any]:
    """Every stage that is not complete yet, then the report; returns what `results.json` holds."""
    out = config.out
    if config.robot is not None:
        trial.check(config.robot, config.task)
        if not config.sim:
            raise BurnishError(
                f"`burnish demo --robot {config.robot}` tries the student on a simulated robot; add --sim"
            )
    with stage.open_stage("demo", config) as record:
        for work in stages(config):
            work()
            _results(record)
        if record.result is None:
            record.finish({})
        results = _results(record)
        print_stages(read_stages(out))
        report.run(report.Config(out))
        minutes, steps = results["totals"]["wall_s"] / 60, results["totals"]["env_steps"]
        say(f"Done in {minutes:.1f} minutes with {steps:,} environment steps; numbers: {out / 'results.json'}")
        return results


def stages(config: Config) -> list[Callable[[], Any]]:
    """What the demo does, in order; nothing runs before its turn."""
    out, seed = config.out, config.seed
    dataset, imitated, refined, student = out / "dataset", out / "imitate", out / "refine", out / "distill"
    recording = replace(config.collect, task=config.task, seed=config.collect.seed + seed)
    training = replace(config.train, seed=config.train.seed + seed)
    refinement = replace(config.refine, seed=config.refine.seed + seed)
    distillation = replace(config.distill, seed=config.distill.seed + seed)

    def judge(made: Path) -> Callable[[], Any]:
        folder = out / f"eval-{made.name}"
        return lambda: evaluation.run(evaluation.Config(made / "policy", folder, config.task, eval=config.eval))

    road: list[Callable[[], Any]] = [
        lambda: collect.run(collect.Config(dataset, collect=recording)),
        lambda: train.run(train.Config("meanflow", dataset, imitated, config.policy, training)),
        judge(imitated),
        lambda: refine.run(refine.Config("residual", imitated / "policy", refined, refinement, dataset)),
        judge(refined),
        lambda: distill.run(distill.Config(refined / "policy", student, dataset, distill=distillation)),
        judge(student),
        lambda: export.run(export.Config(student / "policy", out / "export", config.export)),
    ]
    if config.robot is not None:
        tried = trial.Config(out / "export", out / "robot", config.task, config.robot, config.trial)
        road.append(lambda: trial.run(tried))
    return road


def _results(record: Run) -> dict[str, Any]:
    """Bring `results.json` up to date; the total is wall time from start to end, what lies between stages included."""
    results = summarize(read_stages(record.folder))
    if record.result is None:
        record.save_clock()
    results["totals"]["wall_s"] = round((record.result or {}).get("wall_s", record.wall_s), 2)
    write_json(record.folder / "results.json", results)
    return results
