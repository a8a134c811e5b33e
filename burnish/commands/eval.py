"""`burnish eval CHECKPOINT`: success over fixed episodes, with an interval, and a few videos."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish.commands import flags, stage
from burnish.console import say
from burnish.errors import BurnishError
from burnish.report.terminal import print_evaluation

if TYPE_CHECKING:
    from burnish.policies.base import Policy
    from burnish.sim.protocols import Protocol


@dataclass(frozen=True)
class EvalConfig:
    """What to measure. The episodes are the same for every policy."""

    episodes: int = 100
    """With --task."""
    seed: int = 0
    """Another seed is another set of starts; on LIBERO, where these are fixed, other noise."""
    randomize: dict[str, float] = field(default_factory=dict)
    """What of the world differs from episode to episode, e.g. `pause 0.1`; `burnish.sim.randomize`. Other numbers than
    without, on the same starts."""
    workers: int = 2
    """Processes that share the lanes; does not change the result."""
    videos: int = 3
    """How many episodes to film: failures before successes. With several suites, of each."""
    video_size: int = 256
    """Pixels per side."""


@dataclass(frozen=True)
class Config:
    """Play the fixed episodes of a task or a protocol with a checkpoint."""

    checkpoint: Annotated[Path, Suppress, Fixed]
    """The policy to judge."""
    out: Path
    """Folder of the run: result.json, episodes.jsonl, videos/."""
    task: str | None = None
    """SIMULATOR/TASK, e.g. metaworld/peg-insert-side: --eval.episodes starts that nothing is trained on."""
    protocol: str | None = None
    """Instead of --task, an evaluation as the field runs it: libero/object, libero-lerobot/10, libero/goal/3, …"""
    trials: int | None = None
    """With --protocol: episodes of each task; as many as the protocol has unless given."""
    first_trial: int = 0
    """With --protocol: number of the first of them. LIBERO's init states from 30 on are in no demonstration."""
    replan: str = "own"
    """After how many steps to plan again: `own` (the policy's), `protocol` (as its authors do), or a number."""
    intent_from: str | None = None
    """DATASET or DATASET:EPISODE: a demonstration whose intents a `mint` policy follows (one shot)."""
    eval: EvalConfig = field(default_factory=EvalConfig)


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the checkpoint."""
    checkpoint, rest = flags.take_name(words, "burnish eval", "checkpoint")
    return flags.parse(Config, rest, prog=f"burnish eval {checkpoint}", checkpoint=Path(checkpoint))


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    return Config(Path(), out)


def run(config: Config) -> dict[str, Any]:
    """Play the episodes that are missing; returns `success`, `interval`, `episodes`, `mean_length`, `latency_ms`, …"""
    from burnish.commands.play import play
    from burnish.policies.base import load_policy

    with stage.open_stage("eval", config) as record:
        if done := stage.finished(record):
            return done
        plan = _plan(config)
        name, episodes = config.protocol or config.task, sum(part.episodes for part in plan)
        say(f"Evaluating {config.checkpoint}: {episodes} fixed episodes of {name}, nothing is learned")
        policy = load_policy(config.checkpoint)
        result = play(policy, plan, config)
        result = record.finish({"task": name, **result, "latency_ms": round(latency_ms(policy), 4)})
        low, high = result["interval"]
        print_evaluation(result)
        say(
            f"  success {result['success']:.0%} (95 % interval {low:.0%} to {high:.0%}), "
            f"{result['mean_length']:.0f} steps per episode, {result['latency_ms']:.2g} ms per plan"
        )
        return result


def _plan(config: Config) -> list[Protocol]:
    from burnish.sim.protocols import protocol, protocols

    if (config.task is None) == (config.protocol is None):
        raise BurnishError("`burnish eval` wants either --task SIMULATOR/TASK or --protocol PROTOCOL/TASK")
    if config.protocol is not None:
        found = protocols(config.protocol, config.trials, config.first_trial, config.eval.seed)
        return [replace(part, randomize=config.eval.randomize) for part in found]
    if config.trials is not None or config.first_trial:
        raise BurnishError("--trials and --first-trial belong to --protocol; --task has --eval.episodes")
    found = protocol(str(config.task), config.eval.episodes, config.eval.seed)
    return [replace(found, randomize=config.eval.randomize)]


def latency_ms(policy: Policy, calls: int = 100) -> float:
    """Median milliseconds to plan one chunk for one observation, as the policy stands."""
    import time

    import torch

    from burnish.policies.export import sample_observations

    seen = sample_observations(policy, 2, torch.Generator().manual_seed(0))
    obs = {key: value[:1] for key, value in seen.items()}
    noise, times = torch.zeros(1, *policy.noise_shape), []
    with torch.inference_mode():
        policy.act(obs, noise)
        for _ in range(calls):
            begin = time.perf_counter()
            policy.act(obs, noise)
            times.append(time.perf_counter() - begin)
    return sorted(times)[calls // 2] * 1e3
