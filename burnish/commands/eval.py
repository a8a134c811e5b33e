"""`burnish eval CHECKPOINT`: success over fixed episodes, with an interval, and a few videos."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish.commands import flags, stage
from burnish.console import say, track

if TYPE_CHECKING:
    from burnish.policies.base import Policy
    from burnish.sim.protocols import Protocol


@dataclass(frozen=True)
class EvalConfig:
    """What to measure. The episodes are the same for every policy."""

    episodes: int = 100
    seed: int = 0
    """Another seed is another set of starts."""
    workers: int = 2
    """Processes that share the lanes; does not change the result."""
    videos: int = 3
    """How many of the first episodes to film."""
    video_size: int = 256
    """Pixels per side."""


@dataclass(frozen=True)
class Config:
    """Play the fixed episodes of a task with a checkpoint."""

    checkpoint: Annotated[Path, Suppress, Fixed]
    """The policy to judge."""
    task: str
    """SIMULATOR/TASK, e.g. metaworld/peg-insert-side."""
    out: Path
    """Folder of the run: result.json, episodes.jsonl, videos/."""
    eval: EvalConfig = field(default_factory=EvalConfig)


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the checkpoint."""
    checkpoint, rest = flags.take_name(words, "burnish eval", "checkpoint")
    return flags.parse(Config, rest, prog=f"burnish eval {checkpoint}", checkpoint=Path(checkpoint))


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    return Config(Path(), "", out)


def run(config: Config) -> dict[str, Any]:
    """Play the episodes that are missing; returns `success`, `interval`, `episodes`, `mean_length`, `latency_ms`, …"""
    from burnish.policies.base import load_policy
    from burnish.sim.protocols import protocol

    settings = config.eval
    with stage.open_stage("eval", config) as record:
        if done := stage.finished(record):
            return done
        say(f"Evaluating {config.checkpoint}: {settings.episodes} fixed episodes of {config.task}, nothing is learned")
        policy = load_policy(config.checkpoint)
        result = _play(policy, protocol(config.task, settings.episodes, settings.seed), config)
        result = record.finish({"task": config.task, **result, "latency_ms": round(latency_ms(policy), 4)})
        low, high = result["interval"]
        say(
            f"  success {result['success']:.0%} (95 % interval {low:.0%} to {high:.0%}), "
            f"{result['mean_length']:.0f} steps per episode, {result['latency_ms']:.2g} ms per plan"
        )
        return result


def latency_ms(policy: Policy, calls: int = 100) -> float:
    """Median milliseconds to plan one chunk for one observation, as the policy stands."""
    import time

    import torch

    obs = {key: torch.zeros(1, *field.shape) for key, field in policy.contract.observation.items()}
    noise, times = torch.zeros(1, *policy.noise_shape), []
    with torch.inference_mode():
        policy.act(obs, noise)
        for _ in range(calls):
            begin = time.perf_counter()
            policy.act(obs, noise)
            times.append(time.perf_counter() - begin)
    return sorted(times)[calls // 2] * 1e3


def _play(policy: Policy, protocol: Protocol, config: Config) -> dict[str, Any]:
    from burnish.sim.base import make_env
    from burnish.sim.evaluate import evaluate
    from burnish.sim.raytrace import RenderError
    from burnish.sim.vector import LanesEnv
    from burnish.sim.video import record_episodes

    settings = config.eval
    with make_env(protocol.task, protocol.lanes, workers=settings.workers, horizon=protocol.horizon) as env:
        policy.contract.check(env.contract, here=f"checkpoint {config.checkpoint}", there=f"environment {env.task}")
        agent = policy.agent(env.num_envs)
        with track(f"Evaluating on {env.task}", protocol.episodes) as advance:
            evaluation = evaluate(agent, env, protocol, folder=config.out, advance=advance)
        if isinstance(env, LanesEnv):  # it can draw what it remembers; others are judged without a film
            films = range(min(settings.videos, protocol.episodes))
            try:
                record_episodes(agent, env, protocol, films, config.out / "videos", size=settings.video_size)
            except RenderError as error:  # the numbers stand without a film
                say(f"  no videos: {error}")
    return evaluation.to_json()
