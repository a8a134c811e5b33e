"""`burnish collect TASK`: record the task's expert as a LeRobotDataset."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Fixed, Suppress

from burnish import registry
from burnish.commands import flags, stage
from burnish.console import say
from burnish.datasets.collect import CollectConfig, collect
from burnish.errors import BurnishError
from burnish.sim.base import make_env
from burnish.sim.randomize import asked

if TYPE_CHECKING:
    from burnish.datasets.experts import Expert
    from burnish.policies.base import Policy
    from burnish.sim.base import VecEnv

EXPERTS = ("scripted",)
IMAGE_SIZE = 128
POINTS = 512


@dataclass(frozen=True)
class Recording(CollectConfig):
    """How to record; which task is said in another place."""

    task: Annotated[str, Suppress, Fixed] = ""


@dataclass(frozen=True)
class Config:
    """Record a task's expert as a LeRobotDataset v3, its contract beside it."""

    out: Path
    """Folder of the dataset."""
    collect: Recording = field(default_factory=Recording)
    expert: str = EXPERTS[0]
    """Who shows the tasks: "scripted", or the checkpoint of a policy that has learned them."""
    images: bool = False
    """Render the cameras' images when all is recorded, 128 pixels per side unless --collect.images says otherwise."""
    places: bool = False
    """With the images, where their patches lie (m, world), as a depth camera would tell; `actor3d` reads them."""
    points: bool = False
    """Make point clouds when all is recorded, 512 points each unless --collect.points says otherwise."""
    states: int = 0
    """Instead of a dataset, one file with the states after every so many steps: a bank, in which `burnish train ppo
    --bank` begins half of its episodes."""


def configure(words: list[str]) -> Config:
    """Command line words to a config; the first one is the task."""
    task, rest = flags.take_name(words, "burnish collect", "task")
    return flags.parse(Config, rest, prog=f"burnish collect {task}", collect=Recording(task))


def run(config: Config) -> dict[str, Any]:
    """Record what is missing of the dataset; returns `episodes`, `attempts`, `success`, `env_steps`, `wall_s`."""
    settings = config.collect
    if config.images and not settings.images:
        settings = replace(settings, images=IMAGE_SIZE)
    if config.places and not settings.places:
        settings = replace(settings, places=True)
    if config.points and not settings.points:
        settings = replace(settings, points=POINTS)
    learned = None if config.expert in EXPERTS else _learned(config.expert)
    if config.states:
        return _bank(config, learned)
    with stage.lock(config.out):
        if config.out.exists():
            say(f"{config.out}: already complete")
        else:
            say(f"Collecting {settings.episodes} demonstrations of {settings.task}: what the policy is to imitate")
        looks = {"cameras": settings.images or None, "places": settings.places, "points": settings.points or None}
        with _lanes(settings, **looks) as env:
            expert = _expert(env, config.expert, learned, settings)
            result = collect(env, expert, settings, config.out, None if learned is None else _shown(config))
    say(
        f"  {result['episodes']} episodes, {result['frames']} steps; the expert, disturbed on purpose, succeeded "
        f"in {result['success']:.0%} of {result['attempts']} attempts → {config.out}"
    )
    return result


def _bank(config: Config, learned: Policy | None) -> dict[str, Any]:
    """Record states instead of a dataset."""
    from burnish.datasets.states import collect_states

    settings = config.collect
    simulator = settings.task.partition("/")[0]
    if config.states < 0 or not registry.environments.load(simulator).has_bank:
        raise BurnishError(f"--states {config.states}: 1 or more, of a task that can begin in them (franka/lift)")
    with stage.lock(config.out):
        if config.out.exists():
            raise BurnishError(f"{config.out} is there already; remove it, or choose another --out")
        say(f"Collecting states of {settings.task}: where training may begin, in the middle of the task")
        with _lanes(settings) as env:
            expert = _expert(env, config.expert, learned, settings)
            result = collect_states(env, expert, settings, config.states, config.out)
    say(f"  {result['states']} states of {result['episodes']} episodes → {config.out}")
    return result


def _lanes(settings: CollectConfig, **looks: Any) -> VecEnv:
    """Where the expert plays."""
    world = {"workers": settings.workers, "horizon": settings.horizon, "settings": asked(settings.randomize)}
    return make_env(settings.task, settings.lanes, **world, **looks)


def _learned(expert: str) -> Policy:
    """The policy that `expert` names. Raises `UnknownNameError` if it names nothing at all."""
    from burnish.policies.base import load_policy

    if not Path(expert).exists():
        raise registry.unknown("expert", expert, EXPERTS)
    return load_policy(Path(expert))


def _shown(config: Config) -> dict[str, str]:
    """Which policy shows the task: where it lies, seen from the dataset, and what it held."""
    made = Path(config.expert).absolute()
    return {"expert": os.path.relpath(made, config.out.absolute()), "expert_fingerprint": stage.fingerprint(made)}


def _expert(env: VecEnv, name: str, learned: Policy | None, settings: CollectConfig) -> Expert:
    disturbances = {"noise": settings.noise, "push_steps": settings.push_steps}
    if learned is None:
        return registry.experts.load(settings.task.partition("/")[0])(env, **disturbances)
    from burnish.datasets.experts.learned import LearnedExpert

    reads = learned.contract
    reads.check(env.contract.only(reads.observation), here=f"expert {name}", there=f"environment {env.task}")
    return LearnedExpert(learned.agent(env.num_envs), learned.stride, env.num_envs, **disturbances)


def template(recorded: dict[str, Any], out: Path) -> Config:
    """A config of the right types, to be filled with what a dataset `recorded`."""
    return Config(out)
