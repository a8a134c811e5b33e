"""`burnish refine ALGORITHM`: improve a checkpoint by acting in the task it was trained for."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish import registry
from burnish.commands import flags, stage
from burnish.console import say
from burnish.contract import TASK
from burnish.errors import BurnishError
from burnish.rl_finetune.fleet.cluster import FleetConfig, connected

if TYPE_CHECKING:
    from burnish.datasets.demonstrations import Demonstrations
    from burnish.policies.base import Policy
    from burnish.rl_finetune.arena import Arena
    from burnish.sim.base import VecEnv


@dataclass(frozen=True)
class Config:
    """Improve a checkpoint by reinforcement learning, from the success signal only (ppo: from dense rewards, too)."""

    algorithm: Annotated[str, Suppress, Fixed]
    """Registered name."""
    policy: Path | None
    """Checkpoint to start from; algorithms that make their own policy (meta-imitation) begin without one."""
    out: Path
    """Folder of the run; the result is its `policy`."""
    refine: Any
    """The algorithm's own settings."""
    dataset: Path | None = None
    """Demonstrations; they also say which task. Some algorithms learn from them."""
    task: str | None = None
    """SIMULATOR/TASK, where there is no dataset."""
    randomize: dict[str, float] = field(default_factory=dict)
    """What of the world differs from episode to episode, e.g. `mass 0.3 friction 0.3`; `burnish.sim.randomize`."""
    ray: str | None = None
    """Play on a Ray cluster: auto (the one this machine belongs to), HOST:PORT, or local."""
    fleet: FleetConfig = field(default_factory=FleetConfig)


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the algorithm, a second one without dashes the checkpoint."""
    name, rest = flags.take_name(words, "burnish refine", "algorithm", registry.algorithms.names())
    if rest and not rest[0].startswith("-"):
        rest = ["--policy", *rest]
    return flags.parse(
        Config, rest, prog=f"burnish refine {name}", algorithm=name, policy=None, refine=settings_type(name)()
    )


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a run `recorded`."""
    name = recorded["algorithm"]
    return Config(name, Path(), out, settings_type(name)())


def settings_type(algorithm: str) -> type[Any]:
    """The config dataclass of a registered algorithm: the type of its last argument, `cfg`."""
    return typing.get_type_hints(registry.algorithms.load(algorithm))["cfg"]


def run(config: Config) -> dict[str, Any]:
    """Refine, or go on refining; returns what the algorithm reports and `wall_s`."""
    why = "reinforcement learning corrects what imitation got wrong"
    line = f"Refining {config.policy}: {why}" if config.policy else f"{config.algorithm}, from nothing"
    return improve("refine", config.algorithm, config, config.refine, line)


def improve(verb: str, algorithm: str, config: Any, settings: Any, line: str) -> dict[str, Any]:
    """Run `algorithm` with `settings` on `config.policy` in the environment of `config.dataset` or `config.task`."""
    from burnish.policies.base import load_policy

    train = registry.algorithms.load(algorithm)
    with stage.open_stage(verb, config) as record:
        if done := stage.finished(record):
            return done
        say(line)
        task = getattr(config, "task", None)
        policy = load_policy(config.policy) if config.policy else _fresh(verb, algorithm, settings, task)
        if config.dataset is not None:
            policy, demos = _with_demonstrations(policy, config)
            if task not in (None, demos.task):
                raise BurnishError(f"--task {task}, but {config.dataset} is of {demos.task}; give one of the two")
            task = demos.task
        elif task is None:
            raise BurnishError(f"`burnish {verb}` needs --task SIMULATOR/TASK or --dataset DATASET")
        else:
            demos = None
        with _lanes(config, algorithm, policy, task, settings) as env:
            result = record.finish(train(record, policy, env, demos, settings))
        took = f"{result['wall_s']:.0f} s ({result['cpu_s']:.0f} s of CPU)"
        say(f"  {result['env_steps']} environment steps in {took} → {config.out / 'policy'}")
        return result


def _fresh(verb: str, algorithm: str, settings: Any, task: str | None) -> Policy:
    """What an algorithm begins with that needs no checkpoint."""
    from burnish.sim.base import make_env

    if not hasattr(settings, "fresh"):
        raise BurnishError(f"`burnish {verb} {algorithm}` needs a checkpoint to start from: --policy CHECKPOINT")
    if task is None:
        raise BurnishError(f"`burnish {verb} {algorithm}` needs --task SIMULATOR/TASK")
    with make_env(task, 1) as env:
        return settings.fresh(env.contract)


@contextmanager
def _lanes(config: Any, algorithm: str, policy: Policy, task: str, settings: Any) -> Iterator[VecEnv | Arena]:
    """What `algorithm` plays in: an environment of this process, or with `--ray` workers elsewhere."""
    from burnish.sim.base import make_env_for
    from burnish.sim.randomize import asked

    address: str | None = getattr(config, "ray", None)
    if address is not None and not plays_elsewhere(algorithm):
        able = ", ".join(name for name in registry.algorithms.names() if plays_elsewhere(name))
        raise BurnishError(f"--ray: {algorithm} steps an environment of its own; these can play elsewhere: {able}")
    lanes = settings.lanes if address is None else 1
    options = {"workers": settings.workers if address is None else 0, "auto_reset": settings.auto_reset}
    world = asked(getattr(config, "randomize", {}))
    options |= getattr(settings, "looks", {}) | {"settings": world}
    if getattr(settings, "dense", False):
        options["dense_reward"] = registry.environments.load(task.partition("/")[0]).has_dense_reward
    with make_env_for(policy.contract, task, lanes, here=f"checkpoint {config.policy}", **options) as env:
        if address is None:
            yield env
            return
        horizon = env.max_episode_steps
    with connected(address):
        from burnish.rl_finetune.fleet.arena import RayArena

        with RayArena(task, settings.lanes, settings.auto_reset, horizon, config.fleet, world) as arena:
            yield arena


def plays_elsewhere(algorithm: str) -> bool:
    """Whether a registered algorithm takes an `Arena`: the type of its argument `env` says so."""
    return "Arena" in str(typing.get_type_hints(registry.algorithms.load(algorithm))["env"])


def _with_demonstrations(policy: Policy, config: Any) -> tuple[Policy, Demonstrations]:
    from burnish.datasets.demonstrations import compute_stats
    from burnish.datasets.store import load_demonstrations

    # The instruction is for policies of other libraries, which do not say whether they read it.
    demos = load_demonstrations(config.dataset, only=[*policy.contract.observation, TASK])
    policy = policy.meet(demos.contract, compute_stats(demos), there=f"dataset {config.dataset}")
    reads = policy.contract
    offered = demos.contract.only(reads.observation)
    reads.check(offered, here=f"checkpoint {config.policy}", there=f"dataset {config.dataset}")
    return policy, demos
