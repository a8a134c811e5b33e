"""The Franka world: control steps per second of `franka/lift` beside what bare `mujoco.rollout` makes of its physics.

`uv run python benchmarks/franka_world.py [--quick]`. 64 lanes on two threads, 50 actions a second, physics at 500 Hz.
The peer steps the same model, 500 steps a call, with a control that stands: nothing but physics. Runs alternate,
medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import mujoco
import numpy as np
import torch
from mujoco import rollout

from burnish.contract import STATE
from burnish.fr3 import DOWN
from burnish.sim.base import VecEnv, make_env
from burnish.sim.franka.model import ARM, FINGER, STIFFNESS, TIMESTEP_S, physics_model
from burnish.sim.franka.tasks import TASKS

LANES, THREADS, RATE_HZ = 64, 2, 50.0
TICKS = round(1 / (RATE_HZ * TIMESTEP_S))
BARE_STEPS = 500


def ours(env: VecEnv, steps: int, noise: np.random.Generator) -> tuple[float, float]:
    """Control steps per second, and per second of a core, while every arm wanders around its start."""
    obs = env.reset(range(LANES))
    start = obs[STATE][:, [*range(7), 14]].numpy()
    drift = np.cumsum(noise.normal(0, 0.004, (steps, LANES, 8)), axis=0)
    actions = [torch.from_numpy(np.float32(start + one)) for one in drift]
    begin, spent = time.perf_counter(), time.process_time()
    for action in actions:
        env.step(action)
    return steps * LANES / (time.perf_counter() - begin), steps * LANES / (time.process_time() - spent)


class Bare:
    """`mujoco.rollout` and nothing else."""

    def __init__(self) -> None:
        model = physics_model(TASKS["lift"])
        data = mujoco.MjData(model)
        data.qpos[ARM], data.qpos[FINGER], data.qpos[9:16] = DOWN, 0.04, (0.5, 0, 0.02, 1, 0, 0, 0)
        full = mujoco.mjtState.mjSTATE_FULLPHYSICS
        state = np.zeros(mujoco.mj_stateSize(model, full))
        mujoco.mj_getState(model, data, state, full)
        self._model, self._start = model, np.tile(state, (LANES, 1))
        control = np.concatenate([STIFFNESS * DOWN, (0.04, 0.04), np.zeros(model.nu - 9)])
        self._control = np.tile(control, (LANES, BARE_STEPS, 1))
        self._data = [mujoco.MjData(model) for _ in range(THREADS)]
        self._threads = rollout.Rollout(nthread=THREADS)

    def rate(self) -> tuple[float, float]:
        """Physics steps per second, and per second of a core."""
        begin, spent = time.perf_counter(), time.process_time()
        self._threads.rollout(self._model, self._data, self._start, self._control)
        steps = LANES * BARE_STEPS
        return steps / (time.perf_counter() - begin), steps / (time.process_time() - spent)


def main() -> None:
    """Prints a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a check that it runs")
    quick = parser.parse_args().quick
    rounds, steps, noise = (2, 10, np.random.default_rng(0)) if quick else (9, 50, np.random.default_rng(0))
    bare, found = Bare(), {"control": [], "bare": []}
    with make_env("franka/lift", LANES, workers=THREADS, horizon=10**6, settings={"rate_hz": RATE_HZ}) as env:
        for _ in range(rounds):
            found["control"].append(ours(env, steps, noise))
            found["bare"].append(bare.rate())
    control, control_core = (statistics.median(part) for part in zip(*found["control"], strict=True))
    physics, physics_core = (statistics.median(part) for part in zip(*found["bare"], strict=True))
    share, share_core = control * TICKS / physics, control_core * TICKS / physics_core
    print(f"franka/lift, {LANES} lanes, {THREADS} threads, actions at {RATE_HZ:g} Hz, physics at {1 / TIMESTEP_S:g} Hz")
    print(f"  ours: {control:,.0f} control steps/s = {control * TICKS:,.0f} physics steps/s")
    print(f"  bare mujoco.rollout: {physics:,.0f} physics steps/s; ours is {share:.0%} of it")
    cores = f"{control_core:,.0f} control steps, bare {physics_core:,.0f} physics steps"
    print(f"  per second of a core: {cores}: {share_core:.0%}")
    row = {"name": "franka_world", "ours": round(control), "peer": round(physics / TICKS), "unit": "control steps/s"}
    row |= {"ratio": round(share, 2), "ours_per_core_s": round(control_core), "ratio_per_core_s": round(share_core, 2)}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
