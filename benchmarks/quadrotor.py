"""The quadrotor world: steps per second of 4,096 environments, beside l2f (C++) where it is installed.

`uv run python benchmarks/quadrotor.py [--quick] [--device cuda]`. A step is 10 ms: physics, sensors with noise, judging
and the bookkeeping of episodes; l2f's is physics alone, by Runge and Kutta too. Runs alternate, medians are compared.
The peer: `uv pip install "burnish[foundation]"` (l2f compiles for seven minutes).

The floor: a step reads and writes some 130 numbers per environment and computes some 1,500 operations; at 20 GB/s and
2 × 10¹⁰ operations a second that is 13 million steps a second.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import torch

from burnish.sim.base import make_env
from burnish.sim.quadrotor.dynamics import advance

LANES = 4096


def timed(step: Callable[[], object], steps: int) -> float:
    """Steps of all environments per second."""
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return LANES * steps / (time.perf_counter() - begin)


def world(compiled: bool, device: str) -> Callable[[], object]:
    """`quadrotor/hover` as a learner steps it."""
    settings = {"compiled": compiled, "device": device}
    env = make_env("quadrotor/hover", LANES, auto_reset=True, settings=settings)
    env.reset(range(LANES))
    action = torch.full((LANES, 4), 0.6, device=device)
    return lambda: env.step(action)


def physics(compiled: bool, device: str) -> Callable[[], object]:
    """The rigid bodies alone."""
    settings = {"device": device}
    env = make_env("quadrotor/hover", LANES, settings=settings)
    env.reset(range(LANES))
    flights, command = env.flights, torch.full((4, LANES), 0.6, device=device)  # pyright: ignore[reportAttributeAccessIssue]
    step = torch.compile(advance, fullgraph=True) if compiled else advance
    return lambda: step(flights.state, flights.vehicle, command, 0.01)


def l2f_step(_: bool, __: str) -> Callable[[], object]:
    """RAPTOR's simulator, on its own threads."""
    import l2f
    from l2f import vector4096 as vector

    device, rng, env = l2f.Device(), vector.VectorRng(), vector.VectorEnvironment()
    parameters, state, then = vector.VectorParameters(), vector.VectorState(), vector.VectorState()
    vector.initialize_rng(device, rng, 0)
    vector.initialize_environment(device, env)
    vector.sample_initial_parameters(device, env, parameters, rng)
    vector.sample_initial_state(device, env, parameters, state, rng)
    action = np.full((LANES, 4), 0.2, np.float32)
    return lambda: vector.step(device, env, parameters, state, action, then, rng)


def main() -> None:
    """Prints a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a check that it runs; nothing is compiled")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    kinds: dict[str, tuple[Callable[[bool, str], Callable[[], object]], bool]] = {
        "world": (world, False),
        "physics": (physics, False),
    }
    if not args.quick:
        kinds |= {"world, compiled": (world, True), "physics, compiled": (physics, True)}
    if importlib.util.find_spec("l2f"):
        kinds["l2f"] = (l2f_step, False)
    steps = {name: make(compiled, args.device) for name, (make, compiled) in kinds.items()}
    rounds, count = (2, 5) if args.quick else (7, 100)
    found: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        timed(step, 3)
    for _ in range(rounds):
        for name, step in steps.items():
            found[name].append(timed(step, count))
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    for name, rate in middle.items():
        print(f"{name:20} {rate / 1e6:8.2f} million steps/s")
    best = max(rate for name, rate in middle.items() if name.startswith("world"))
    ratios = {f"world / {peer}": round(best / middle[peer], 2) for peer in ("l2f",) if peer in middle}
    print("  ".join(f"{name} {ratio}" for name, ratio in ratios.items()))
    print(json.dumps({"rates": {name: round(rate) for name, rate in middle.items()}, **ratios, "device": args.device}))


if __name__ == "__main__":
    main()
