"""Record an expert: attempts in seed order until enough of them succeeded, then one dataset.

Attempt i is a pure function of (config, i), and the dataset holds the first successful attempts in order,
so neither the number of lanes or workers nor an interruption changes it. Finished attempts are kept
beside the dataset until it is written.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from burnish.console import say, track
from burnish.contract import TASK
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
"""In the dataset's `meta/`: how it was made and what came of it."""


@dataclass(frozen=True)
class CollectConfig:
    """What to record."""

    task: str = "metaworld/peg-insert-side"
    """SIMULATOR/TASK."""
    episodes: int = 40
    """Successful episodes to keep."""
    noise: float = 0.1
    """Standard deviation of the noise on executed actions, in largest actions; labels stay clean."""
    push_steps: int = 10
    """Each episode starts with 0 … this many steps of random pushes."""
    seed: int = 0
    """Of starts and noise."""
    horizon: int | None = None
    """Steps after which an attempt counts as failed; None is the task's own."""
    lanes: int = 10
    """Attempts side by side; does not change the result."""
    workers: int = 0
    """Processes that share the lanes; does not change the result."""
    images: int = 0
    """Pixels per side of the images that are rendered when all is recorded; 0 for none."""
    max_attempts_per_episode: int = 20
    """Give up when the expert fails more often than this."""


def collect(env: VecEnv, expert: Expert, config: CollectConfig, out: Path) -> dict[str, Any]:
    """Record `config.episodes` successes of `expert` in `env` (made without auto-reset) as the dataset `out`.

    Returns:
        `episodes` and `frames` in the dataset, `attempts`, `success` (the expert's rate, disturbances included),
        `env_steps` and `wall_s`.
    Raises:
        BurnishError: `out` holds something else, or the expert fails too often.
    """
    recover_folder(out)
    identity = _identity(config, env)
    if out.exists():
        return _finished(out, identity)
    started = time.monotonic()
    staging = out.with_name(f".{out.name}.attempts")
    _open_staging(staging, identity)
    attempts = _record_all(env, expert, config, staging)
    episodes = [attempt.episode for attempt in attempts if attempt.episode is not None]
    numbers = env.contract.only(env.contract.observation.keys() - env.contract.images)
    demos = Demonstrations.of(numbers, env.task, episodes)
    images = _rendered(env, attempts, staging, config.workers)
    result = {
        "episodes": len(episodes),
        "frames": len(demos.action),
        "attempts": len(attempts),
        "success": len(episodes) / len(attempts),
        "env_steps": sum(attempt.steps for attempt in attempts),
        "wall_s": round(time.monotonic() - started, 2),
    }
    say(f"Writing {len(episodes)} episodes as a LeRobotDataset to {out}")
    write_dataset(demos, out, {RECORD: {"config": identity, "result": result}}, images)
    shutil.rmtree(staging)
    return result


def attempt_seed(seed: int, attempt: int) -> int:
    """63 bits for attempt number `attempt` of a recording seeded with `seed`."""
    return int(np.random.SeedSequence([seed, attempt]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _record_all(env: VecEnv, expert: Expert, config: CollectConfig, staging: Path) -> list[Attempt]:
    """Attempts 0, 1, 2, … up to the one that brings the last success needed; those in `staging` are not repeated.

    No round starts more attempts than successes are missing, so never one too many.
    """
    attempts: list[Attempt] = []
    with track(f"Recording the expert on {env.task}", config.episodes) as advance:
        while (missing := config.episodes - _successes(attempts)) > 0:
            if len(attempts) >= config.episodes * config.max_attempts_per_episode:
                raise BurnishError(
                    f"the expert succeeded in {_successes(attempts)} of {len(attempts)} attempts on {env.task}; "
                    "try less noise, fewer push_steps or a longer horizon"
                )
            numbers = range(len(attempts), len(attempts) + min(env.num_envs, missing))
            _record_round(
                env, expert, config.seed, staging, [n for n in numbers if not attempt_path(staging, n).exists()]
            )
            attempts += [load_attempt(attempt_path(staging, number), env.contract) for number in numbers]
            advance(
                _successes(attempts) - config.episodes + missing,
                f"{_successes(attempts)} of {len(attempts)} attempts succeeded",
            )
    return attempts


def _record_round(env: VecEnv, expert: Expert, seed: int, staging: Path, numbers: Sequence[int]) -> None:
    """Run attempts `numbers` side by side, each in a lane of its own, and save each as it ends."""
    seeds = [attempt_seed(seed, number) for number in numbers]
    # Lanes without an attempt are reset as well: they stand still, but the expert reads every lane's observation.
    obs = env.reset([*seeds, *[0] * (env.num_envs - len(seeds))])
    active = list(range(len(numbers)))
    expert.reset(active, seeds)
    frames: list[list[Frame]] = [[] for _ in numbers]
    poses: list[list[Arrays]] = [[] for _ in numbers]
    while active:
        if isinstance(env, LanesEnv) and env.contract.images:
            for lane, pose in zip(active, env.poses(active), strict=True):
                poses[lane].append(pose)
        action = expert.act(obs)
        for lane in active:
            seen = {key: value[lane].cpu().numpy() for key, value in obs.items()}
            frames[lane].append((seen, expert.label[lane].cpu().numpy()))
        step = env.step(action, active)
        done, success = step.done.tolist(), step.info["success"].tolist()
        for lane in active:
            if done[lane]:
                save_attempt(attempt_path(staging, numbers[lane]), frames[lane], success[lane], poses[lane])
        active = [lane for lane in active if not done[lane]]
        obs = step.obs


def _rendered(env: VecEnv, attempts: Sequence[Attempt], staging: Path, workers: int) -> RenderedAttempts | None:
    """The images of the successful attempts, if `env` has cameras."""
    if not isinstance(env, LanesEnv) or not env.contract.images:
        return None
    kept = {attempt_path(staging, n): one.episode for n, one in enumerate(attempts) if one.episode is not None}
    # Those of one task follow each other: a process that renders them needs one scene.
    together = sorted(kept, key=lambda path: kept[path].obs[TASK][0].tobytes() if TASK in kept[path].obs else b"")
    render_attempts(together, env.spec, workers)
    fields = {key: env.contract.observation[key] for key in env.contract.images}
    return RenderedAttempts(list(kept), fields)


def _successes(attempts: Sequence[Attempt]) -> int:
    return sum(attempt.episode is not None for attempt in attempts)


def _identity(config: CollectConfig, env: VecEnv) -> dict[str, Any]:
    """The settings that decide what is recorded, as JSON gives them back."""
    settings = dataclasses.asdict(config) | {"task": env.task, "horizon": env.max_episode_steps}
    keys = ["task", "episodes", "noise", "push_steps", "seed", "horizon"]
    return {key: settings[key] for key in (*keys, *(["images"] if config.images else []))}


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
    load_demonstrations(out)  # a damaged dataset is named here, not in the middle of training
    return record["result"]


def _refuse_other(folder: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    if keys:
        listed = ", ".join(f"{key}: {theirs.get(key)!r} there, {ours.get(key)!r} now" for key in keys)
        raise BurnishError(f"{folder} was made with other settings ({listed}); delete it or choose another folder")
