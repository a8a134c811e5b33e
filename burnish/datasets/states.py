"""Record states along an expert's episodes: the bank in whose middle-of-a-task states training can begin."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from burnish.console import track
from burnish.datasets.collect import CollectConfig
from burnish.datasets.experts import Expert
from burnish.errors import BurnishError
from burnish.sim.base import VecEnv
from burnish.sim.franka.bank import State, save_bank

LANE = "lane/"
"""How the names of a lane's own arrays begin in a snapshot."""


def collect_states(env: VecEnv, expert: Expert, config: CollectConfig, every: int, out: Path) -> dict[str, Any]:
    """Every `every`th state of `config.episodes` successes of `expert` in `env` (`has_bank`, no auto-reset), as `out`.

    What solved the task is not among them: an episode that begins there would be over. Returns `states`, `episodes`,
    `attempts`, `success` and `wall_s`. Raises `BurnishError` if the expert fails too often.
    """
    started, kept, episodes, attempts = time.monotonic(), list[State](), 0, 0
    most = config.episodes * config.max_attempts_per_episode
    with track(f"Recording states of {env.task}", config.episodes) as advance:
        while episodes < config.episodes:
            if attempts >= most:
                raise BurnishError(
                    f"the expert succeeded in {episodes} of {attempts} attempts on {env.task}; less noise?"
                )
            lanes = min(env.num_envs, config.episodes - episodes)
            seeds = [env.attempt_seed(config.seed, 0, attempts + lane) for lane in range(env.num_envs)]
            found = _wave(env, expert, seeds, every)[:lanes]
            attempts += lanes
            for states in found:
                kept += states or []
                episodes += states is not None
                advance(states is not None)
    save_bank(out, kept, env.task.partition("/")[2], env.contract.action.rate_hz)
    result = {"states": len(kept), "episodes": episodes, "attempts": attempts, "success": episodes / attempts}
    return result | {"wall_s": round(time.monotonic() - started, 2)}


def _wave(env: VecEnv, expert: Expert, seeds: list[int], every: int) -> list[list[State] | None]:
    """One attempt per lane: its states, None where it failed."""
    lanes = range(env.num_envs)
    obs, running = env.reset(seeds), [*lanes]
    expert.reset(running, seeds)
    found: list[list[State]] = [[] for _ in lanes]
    solved = np.zeros(env.num_envs, bool)
    count = 0
    while running:
        step = env.step(expert.act(obs), ids=running)
        obs, count = step.obs, count + 1
        solved |= step.info["success"].numpy()
        running = [lane for lane in running if not step.done[lane]]
        if count % every == 0:
            snapshot = env.state()
            for lane in running:
                inner = snapshot[lane].items()
                found[lane].append({name.removeprefix(LANE): part for name, part in inner if name.startswith(LANE)})
    return [states if good else None for states, good in zip(found, solved.tolist(), strict=True)]
