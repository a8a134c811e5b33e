"""Vectorised Meta-World: environment steps per second of burnish's workers beside gymnasium's AsyncVectorEnv.

`uv run python benchmarks/vector_env.py [--quick]`. Both sides step the same task with the same random actions in two
worker processes; runs alternate, medians are compared. The peer steps Meta-World's own environment.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

# Both sides: one BLAS thread per process.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import gymnasium
import mujoco
import numpy as np
import torch

from burnish.sim.base import make_env
from burnish.sim.metaworld_lane import MAX_STEP_M, MetaWorldLane

WORKERS = 2
HORIZON = 500
"""Meta-World's own episode length; no run comes near it, so that resets are in neither side's time."""
Steps = Callable[[np.ndarray], Any]


def meta_world(task: str) -> Any:
    """Meta-World's environment as its users make it: goal visible, starts drawn at random."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    env: Any = ALL_V3_ENVIRONMENTS[f"{task}-v3"]()
    env._partially_observable, env._freeze_rand_vec = False, False
    env._set_task_called, env.seeded_rand_vec = True, True
    del env.sawyer_observation_space
    # The space must be the one that was announced, or AsyncVectorEnv refuses it.
    env.observation_space = env.sawyer_observation_space
    return env


def measure(step: Steps, actions: np.ndarray) -> float:
    """Environment steps per second over `actions` (T, N, 4), in Meta-World's [-1, 1]."""
    begin = time.perf_counter()
    for action in actions:
        step(action)
    return actions.shape[0] * actions.shape[1] / (time.perf_counter() - begin)


def compare(task: str, lanes: int, rounds: int, steps: int, noise: np.random.Generator) -> tuple[float, float]:
    """Median steps per second of `lanes` environments: ours, the peer's (one process per environment, its design)."""
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    peer = gymnasium.vector.AsyncVectorEnv([lambda: meta_world(task)] * lanes, shared_memory=True)
    try:
        with make_env(f"metaworld/{task}", lanes, workers=WORKERS, horizon=HORIZON, auto_reset=True) as env:
            scale = torch.tensor([MAX_STEP_M] * 3 + [1.0])
            for _ in range(rounds):
                actions = noise.uniform(-1, 1, (steps, lanes, 4)).astype(np.float32)
                env.reset(list(range(lanes)))
                rates["ours"].append(measure(lambda action: env.step(torch.from_numpy(action) * scale), actions))
                peer.reset()
                rates["peer"].append(measure(lambda action: peer.step(action), actions))
    finally:
        peer.close()
    return statistics.median(rates["ours"]), statistics.median(rates["peer"])


def physics_floor(task: str, steps: int) -> float:
    """Steps per second of MuJoCo alone in two processes, if a second core costs the first nothing."""
    lane = MetaWorldLane(task)
    lane.reset(0)
    begin = time.perf_counter()
    for _ in range(steps):
        mujoco.mj_step(lane.model, lane.data, nstep=lane.env.frame_skip)
    return WORKERS * steps / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description="environment steps per second")
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--task", default="peg-insert-side")
    options = parser.parse_args()
    rounds, steps = (3, 200) if options.quick else (9, 400)
    noise = np.random.default_rng(0)
    floor = physics_floor(options.task, 1000)
    print(f"physics alone, {WORKERS} processes: {floor:,.0f} steps/s")
    results = {}
    for lanes in (WORKERS, 16):
        ours, peer = results[lanes] = compare(options.task, lanes, rounds, steps, noise)
        line = f"{lanes} environments, steps/s: ours ({WORKERS} workers) {ours:,.0f}, AsyncVectorEnv {peer:,.0f}"
        print(f"{line}: {ours / peer:.2f}×")
    ours, peer = results[WORKERS]
    row = {"name": "vector_env", "ours": round(ours), "peer": round(peer), "unit": "environment steps/s"}
    row |= {"ratio": round(ours / peer, 2), "environments": WORKERS, "physics": round(floor)}
    row |= {"ratio_16": round(results[16][0] / results[16][1], 2), "ours_16": round(results[16][0])}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
