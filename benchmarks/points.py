"""One step against ten on point clouds: MP1, FlowPolicy and DP3 with the same encoder and network, side by side.

`uv run python benchmarks/points.py [--tasks A B …] [--seeds 0 1 2] [--out runs/points] [--quick]`. Ten scripted
demonstrations per Meta-World task; the policy knows a cloud and the robot's own state. Success is over 20 fixed starts,
with the last checkpoint and, as MP1's paper counts, as the mean of the best five of ten. Run it again to go on after an
interruption. The last line is JSON: `ours` is MP1's milliseconds per plan, `peer` DP3's.

MP1's own table (arXiv 2507.10543, 37 tasks, best five, an RTX 4090): MP1 78.9 % at 6.8 ms, FlowPolicy 71.6 % at
12.6 ms, DP3 68.7 % at 132 ms.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from burnish.commands import collect
from burnish.commands.collect import Recording
from burnish.commands.eval import latency_ms
from burnish.console import say
from burnish.contract import ENVIRONMENT_STATE
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.datasets.store import load_contract, load_demonstrations
from burnish.files import read_json, write_json
from burnish.policies.base import Policy, make_policy
from burnish.policies.networks.points import PointsConfig
from burnish.policies.train import TrainConfig, Trainer
from burnish.run import Run
from burnish.sim.base import make_env
from burnish.sim.evaluate import evaluate
from burnish.sim.protocols import protocol

TASKS = ("hammer", "drawer-open", "button-press", "door-open", "sweep")
METHODS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "MP1": ("meanflow", {"dispersive_weight": 0.5, "prior_std": 0.02}),
    "FlowPolicy": ("flow", {"consistency": True}),
    "DP3": ("diffusion", {"prediction": "sample"}),
}
POINTS, DEMONSTRATIONS, EPISODES, CHECKPOINTS, BEST, ROUNDS = 256, 10, 20, 10, 5, 15
POLICY: dict[str, Any] = {"horizon": 16, "replan": 8, "points": PointsConfig(width=32)}
TRAINING = TrainConfig(steps=1_000, batch_size=64)


def measure(method: str, task: str, seed: int, out: Path, training: TrainConfig) -> dict[str, Any]:
    """Train one policy and judge it ten times on the way; one row, kept in `out`."""
    kept = out / f"{method}-{task}-{seed}.json"
    if kept.exists():
        return read_json(kept)
    demos = demonstrations(task, out)
    name, settings = METHODS[method]
    torch.manual_seed(seed)
    policy = make_policy(name, demos.contract, compute_stats(demos), **POLICY, **settings)
    sampler = ChunkSampler(demos, policy.horizon, training.batch_size, seed=seed)
    folder = out / f"{method}-{task}-{seed}"
    trainer, run, found = Trainer(policy.train(), training), Run(folder, "train", {}), []
    trainer.resume(run)
    for checkpoint in range(1, CHECKPOINTS + 1):
        while trainer.done < training.steps * checkpoint // CHECKPOINTS:
            trainer.step(sampler.batch(trainer.done), run)
        assert isinstance(trainer.average, Policy)
        found.append(judge(trainer.average, task, folder / f"eval-{checkpoint}"))
        if trainer.done == training.steps * checkpoint // CHECKPOINTS:  # further on, these were judged before
            trainer.save(run)
        say(f"  {method} {task} {seed}: {training.steps * checkpoint // CHECKPOINTS} steps, {found[-1]:.0%}")
    best = float(np.mean(sorted(found)[-BEST:]))
    row = {"method": method, "task": task, "seed": seed, "final": found[-1], "best": best}
    row |= {"every": found}
    write_json(kept, row)
    return row


def latencies(task: str, out: Path) -> dict[str, float]:
    """Milliseconds per plan of each method, in turns, so that whatever else the machine does slows all alike."""
    demos = demonstrations(task, out)
    stats, found = compute_stats(demos), {method: [] for method in METHODS}
    policies = {
        method: make_policy(name, demos.contract, stats, **POLICY, **settings).eval()
        for method, (name, settings) in METHODS.items()
    }
    for _ in range(ROUNDS):
        for method, policy in policies.items():
            found[method].append(latency_ms(policy, calls=20))
    return {method: float(np.median(times)) for method, times in found.items()}


def demonstrations(task: str, out: Path) -> Demonstrations:
    """Ten of the task, recorded where they are missing, without what only a simulator knows."""
    folder = out / f"dataset-{task}"
    if not folder.exists():
        recording = Recording(f"metaworld/{task}", episodes=DEMONSTRATIONS, points=POINTS)
        collect.run(collect.Config(folder, recording))
    wanted = [key for key in load_contract(folder).observation if key != ENVIRONMENT_STATE]
    return load_demonstrations(folder, only=wanted)


def judge(policy: Policy, task: str, folder: Path) -> float:
    """Success over the fixed starts."""
    plan = protocol(f"metaworld/{task}", EPISODES)
    with make_env(plan.task, plan.lanes, workers=2, horizon=plan.horizon, points=POINTS) as env:
        return evaluate(policy.agent(plan.lanes), env, plan, folder=folder).success


def main() -> None:
    """Measure every method, task and seed; one line per task, then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/points"))
    parser.add_argument("--quick", action="store_true", help="one task and seed, hardly trained: no result")
    args = parser.parse_args()
    quick = TrainConfig(steps=20, batch_size=16)
    tasks, seeds, out = (args.tasks[:1], [0], args.out / "quick") if args.quick else (args.tasks, args.seeds, args.out)
    training = quick if args.quick else TRAINING
    rows = [measure(method, task, seed, out, training) for seed in seeds for task in tasks for method in METHODS]
    print("| method | " + " | ".join(tasks) + " | final | best five | ms per plan |")
    print("|---" * (len(tasks) + 4) + "|")
    took_ms = latencies(tasks[0], out)
    summary = {
        method: table([row for row in rows if row["method"] == method], tasks, took_ms[method]) for method in METHODS
    }
    ours, peer = summary["MP1"]["latency_ms"], summary["DP3"]["latency_ms"]
    line = {"name": "points", "ours": ours, "peer": peer, "unit": "ms", "ratio": round(peer / ours, 2)}
    print(json.dumps(line | {"methods": summary}))


def table(rows: list[dict[str, Any]], tasks: list[str], took_ms: float) -> dict[str, float]:
    """Print one method's line; its means over tasks and seeds."""
    each = [float(np.mean([row["final"] for row in rows if row["task"] == task])) for task in tasks]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in ("final", "best")}
    shown = " | ".join(f"{success:.0%}" for success in each)
    print(f"| {rows[0]['method']} | {shown} | {mean['final']:.1%} | {mean['best']:.1%} | {took_ms:.2f} |")
    return mean | {"latency_ms": took_ms}


if __name__ == "__main__":
    main()
