"""Record an expert: attempts at every task in order until enough of them succeeded, then one dataset.

Attempt i at a task is a pure function of (config, task, i), and the dataset holds the first successful attempts in
order, so neither the number of lanes or workers nor an interruption changes it. Finished attempts are kept
beside the dataset until it is written.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from burnish.console import Advance, say, track
from burnish.datasets.attempts import Attempt, Frame, attempt_path, load_attempt, save_attempt
from burnish.datasets.demonstrations import Demonstrations
from burnish.datasets.experts import Expert
from burnish.datasets.frames import RenderedAttempts, render_attempts
from burnish.datasets.store import load_demonstrations, write_dataset
from burnish.errors import BurnishError
from burnish.files import read_json, recover_folder, write_json
from burnish.sim.lanes import Arrays
from burnish.sim.vector import LanesEnv

if TYPE_CHECKING:
    from burnish.sim.base import VecEnv

RECORD = "collect.json"
"""In the dataset's `meta/`: how it was made, what came of it, and every attempt that failed."""
TASK_STRIDE = 10_000
"""Attempt files of one task are numbered from its number times this."""


@dataclass(frozen=True)
class CollectConfig:
    """What to record."""

    task: str = "metaworld/peg-insert-side"
    """SIMULATOR/TASK."""
    episodes: int = 40
    """Successful episodes to keep, of each task."""
    noise: float = 0.1
    """Standard deviation of the noise on executed actions, in largest actions; labels stay clean."""
    push_steps: int = 10
    """Each episode starts with 0 … this many steps of random pushes."""
    randomize: dict[str, float] = field(default_factory=dict)
    """What of the world differs from episode to episode, e.g. `mass 0.3 pause 0.1`; `burnish.sim.randomize`."""
    seed: int = 0
    """Of starts and noise."""
    horizon: int | None = None
    """Steps after which an attempt counts as failed; None is the task's own."""
    lanes: int = 10
    """Attempts side by side; does not change the result."""
    workers: int = 2
    """Processes that share the lanes; does not change the result."""
    images: int = 0
    """Pixels per side of the images that are rendered when all is recorded; 0 for none."""
    places: bool = False
    """Where the images' patches lie, made with them."""
    points: int = 0
    """Points of the clouds that are made when all is recorded; 0 for none."""
    max_attempts_per_episode: int = 20
    """Give up when the expert fails more often than this."""


def collect(
    env: VecEnv, expert: Expert, config: CollectConfig, out: Path, shown: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Record `config.episodes` successes of `expert` in `env` (made without auto-reset) as the dataset `out`.

    Args:
        shown: who `expert` is, where it is not the task's own; what another one showed is never mixed with it.
    Returns:
        `episodes` and `frames` in the dataset, `attempts`, `success` (the expert's rate, disturbances included),
        `env_steps` and `wall_s`.
    Raises:
        BurnishError: `out` holds something else, or the expert fails too often.
    """
    recover_folder(out)
    identity = _identity(config, env) | dict(shown or {})
    if out.exists():
        return _finished(out, identity)
    started = time.monotonic()
    staging = out.with_name(f".{out.name}.attempts")
    _open_staging(staging, identity)
    attempts = _record_all(env, expert, config, staging)
    episodes = [one.attempt.episode for one in attempts if one.attempt.episode is not None]
    numbers = env.contract.only(env.contract.observation.keys() - env.contract.looks)
    demos = Demonstrations.of(numbers, env.task, episodes)
    images = _rendered(env, attempts, staging, config.workers)
    result = {
        "episodes": len(episodes),
        "frames": len(demos.action),
        "attempts": len(attempts),
        "success": len(episodes) / len(attempts),
        "env_steps": sum(one.attempt.steps for one in attempts),
        "wall_s": round(time.monotonic() - started, 2),
    }
    record = {"config": identity, "result": result, "failures": _failures(env, attempts, config.seed)}
    say(f"Writing {len(episodes)} episodes as a LeRobotDataset to {out}")
    write_dataset(demos, out, {RECORD: record}, images)
    shutil.rmtree(staging)
    return result


def _record_all(env: VecEnv, expert: Expert, config: CollectConfig, staging: Path) -> list[Numbered]:
    """Of every task of `env`: attempts 0, 1, 2, … up to the one that brings the last success needed.

    Those in `staging` are not repeated. Never more are started than successes are missing, so never one too many.
    """
    found: dict[int, list[Numbered]] = {task: [] for task in range(env.num_tasks)}
    most = config.episodes * config.max_attempts_per_episode
    with track(f"Recording the expert on {env.task}", config.episodes * env.num_tasks) as advance:
        while wave := [
            Key(task, len(done) + n)
            for task, done in found.items()
            for n in range(config.episodes - len(_successful(done)))
        ]:
            for task, done in found.items():
                if len(done) >= most:
                    raise BurnishError(
                        f"the expert succeeded in {len(_successful(done))} of {len(done)} attempts on {env.task}"
                        f"{f' (task {task})' if env.num_tasks > 1 else ''}; "
                        "try less noise, fewer push_steps or a longer horizon"
                    )
            tally = Tally(advance, [one for done in found.values() for one in done])
            _record(env, expert, config.seed, staging, wave, tally)
            for key in wave:
                found[key.task].append(Numbered(key, load_attempt(_path(staging, key), env.contract)))
    return [one for done in found.values() for one in done]


def _record(env: VecEnv, expert: Expert, seed: int, staging: Path, wave: Sequence[Key], tally: Tally) -> None:
    """Run the attempts of `wave` that are not in `staging`; a lane that is free takes the next one."""
    waiting = [key for key in reversed(wave) if not _path(staging, key).exists()]
    for key in wave:
        if key not in waiting:
            tally.add(load_attempt(_path(staging, key), env.contract).episode is not None)
    takes: dict[int, Take] = {}
    # Lanes without an attempt stand still, but the expert reads every lane's observation.
    obs = env.reset([env.attempt_seed(seed, wave[0].task, wave[0].attempt)] * env.num_envs)
    while waiting or takes:
        fresh = [lane for lane in range(env.num_envs) if lane not in takes][: len(waiting)]
        if fresh:
            for lane in fresh:
                takes[lane] = Take(waiting.pop())
            seeds = [env.attempt_seed(seed, *takes[lane].key) for lane in fresh]
            obs = env.reset(seeds, fresh)
            expert.reset(fresh, seeds)
        active = sorted(takes)
        if isinstance(env, LanesEnv) and env.contract.looks:
            for lane, pose in zip(active, env.poses(active), strict=True):
                takes[lane].poses.append(pose)
        action = expert.act(obs)
        for lane in active:
            seen = {key: value[lane].cpu().numpy() for key, value in obs.items()}
            takes[lane].frames.append((seen, expert.label[lane].cpu().numpy()))
        step = env.step(action, active)
        obs = step.obs
        for lane in active:
            if step.done[lane]:
                take, success = takes.pop(lane), bool(step.info["success"][lane])
                save_attempt(_path(staging, take.key), take.frames, success, take.poses)
                tally.add(success)


class Key(NamedTuple):
    """Attempt number `attempt` at task number `task` of the environment."""

    task: int
    attempt: int


class Numbered(NamedTuple):
    """A finished attempt and which one it is."""

    key: Key
    attempt: Attempt


@dataclass
class Take:
    """An attempt under way."""

    key: Key
    frames: list[Frame] = field(default_factory=list)
    poses: list[Arrays] = field(default_factory=list)


class Tally:
    """Counts attempts for the progress bar."""

    def __init__(self, advance: Advance, before: Sequence[Numbered]) -> None:
        self._advance, self._attempts, self._successes = advance, len(before), len(_successful(before))

    def add(self, success: bool) -> None:
        """One more attempt is over."""
        self._attempts += 1
        self._successes += success
        self._advance(int(success), f"{self._successes} of {self._attempts} attempts succeeded")


def _path(staging: Path, key: Key) -> Path:
    return attempt_path(staging, key.task * TASK_STRIDE + key.attempt)


def _failures(env: VecEnv, attempts: Sequence[Numbered], seed: int) -> list[dict[str, int]]:
    """Every failed attempt, with the seed that repeats it."""
    return [
        {**key._asdict(), "seed": env.attempt_seed(seed, *key), "steps": attempt.steps}
        for key, attempt in attempts
        if attempt.episode is None
    ]


def _rendered(env: VecEnv, attempts: Sequence[Numbered], staging: Path, workers: int) -> RenderedAttempts | None:
    """What the successful attempts saw, if `env` looks."""
    if not isinstance(env, LanesEnv) or not env.contract.looks:
        return None
    kept = [_path(staging, one.key) for one in _successful(attempts)]
    render_attempts(kept, env.spec, workers)
    fields = {key: env.contract.observation[key] for key in env.contract.looks}
    return RenderedAttempts(kept, fields)


def _successful(attempts: Sequence[Numbered]) -> list[Numbered]:
    return [one for one in attempts if one.attempt.episode is not None]


def _identity(config: CollectConfig, env: VecEnv) -> dict[str, Any]:
    """The settings that decide what is recorded, as JSON gives them back."""
    settings = dataclasses.asdict(config) | {"task": env.task, "horizon": env.max_episode_steps}
    keys = ["task", "episodes", "noise", "push_steps", "seed", "horizon"]
    chosen = [name for name in ("images", "places", "points", "randomize") if settings[name]]
    return {key: settings[key] for key in (*keys, *chosen)}


def _open_staging(staging: Path, identity: dict[str, Any]) -> None:
    path = staging / RECORD
    if path.exists():
        _refuse_other(staging, read_json(path), identity)
    else:
        write_json(path, json.loads(json.dumps(identity)))


def _finished(out: Path, identity: dict[str, Any]) -> dict[str, Any]:
    path = out / "meta" / RECORD
    if not path.exists():
        raise BurnishError(f"{out} exists and was not made by `burnish collect`; choose another folder")
    record = read_json(path)
    _refuse_other(out, record["config"], identity)
    load_demonstrations(out, only=())  # a damaged dataset is named here, not in the middle of training
    return record["result"]


def _refuse_other(folder: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    if keys:
        listed = ", ".join(f"{key}: {theirs.get(key)!r} there, {ours.get(key)!r} now" for key in keys)
        raise BurnishError(f"{folder} was made with other settings ({listed}); delete it or choose another folder")
