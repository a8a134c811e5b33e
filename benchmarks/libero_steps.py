"""LIBERO from state: environment steps per second of one process, one task of every suite, beside LIBERO's own.

`uv run python benchmarks/libero_steps.py [--steps 300] [--tasks spatial/0 object/0 …]`. Both sides take the same random
actions with nothing rendered; ours also evaluates the goal and fills in all observations, as an evaluation does. Time
is the processor's, so that other work on the machine counts for neither side; wall time is printed too. The last line
is JSON: the slowest task of ours and of the peer.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import torch

from burnish.sim.base import make_env
from burnish.sim.libero.quiet import quiet
from burnish.sim.libero.suites import STANDARD, select

Rates = tuple[float, float]
"""Steps per second of processor time, and of wall time."""


def measure(step: Callable[[np.ndarray], object], actions: np.ndarray) -> Rates:
    wall, processor = time.perf_counter(), time.process_time()
    for action in actions:
        step(action)
    return len(actions) / (time.process_time() - processor), len(actions) / (time.perf_counter() - wall)


def ours(task: str, actions: np.ndarray) -> Rates:
    with make_env(f"libero/{task}", 1, horizon=len(actions) + 1, auto_reset=True) as env:
        env.reset([0])
        return measure(lambda action: env.step(torch.from_numpy(action)[None]), actions)


def theirs(task: str, actions: np.ndarray) -> Rates:
    with quiet():
        from libero.libero.envs.env_wrapper import ControlEnv

        env = ControlEnv(
            bddl_file_name=str(select(task)[0].bddl),
            use_camera_obs=False,
            has_offscreen_renderer=False,
            horizon=len(actions) + 1,
            ignore_done=True,
        )
        env.reset()
    env.set_init_state(select(task)[0].load_init_states()[0])
    return measure(env.step, actions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=[f"{suite}/0" for suite in STANDARD])
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    actions = np.random.default_rng(0).uniform(-1, 1, (options.steps, 7)).astype(np.float32)
    rows = {}
    for task in options.tasks:
        rows[task] = ours(task, actions), theirs(task, actions)
        (mine, mine_wall), (other, other_wall) = rows[task]
        print(
            f"{task:12} steps/s: ours {mine:6.1f} ({mine_wall:.1f} wall), LIBERO {other:6.1f} ({other_wall:.1f} wall)"
        )
    slowest = [min(pair[side][0] for pair in rows.values()) for side in (0, 1)]
    row = {"name": "libero_steps", "ours": round(slowest[0], 1), "peer": round(slowest[1], 1), "unit": "steps/s"}
    ratios = [mine[0] / other[0] for mine, other in rows.values()]
    print(json.dumps(row | {"ratio": round(slowest[0] / slowest[1], 2), "smallest_ratio": round(min(ratios), 2)}))


if __name__ == "__main__":
    main()
