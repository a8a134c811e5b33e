"""PPO from the state of a task alone: success over 200 fixed episodes, and how long it took to learn.

`uv run python benchmarks/ppo.py [--tasks franka/lift …] [--seeds 0 1 2] [--out runs/ppo] [--quick]`. The settings are
those of `burnish train ppo`, on two cores. Half of the episodes begin in a bank of states along 40 episodes of the
task's scripted expert; they last 50 steps while it learns. Success is that of the final policy, acting without noise,
over 200 whole episodes that nothing was trained on. Run it again to go on after an interruption. The last line is JSON:
`ours` is the mean success, `peer` the bar of 0.95; `minutes` the longest of all runs, the bank's included, bar: 30.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from burnish.commands import collect, learn
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.eval import EvalConfig
from burnish.rl_finetune.ppo import PPOConfig

BAR, EPISODES = 0.95, 200
EXPERT, EVERY = 40, 5
"""Episodes of the expert, and steps between two of their states."""
SETTINGS = PPOConfig(env_steps=3_000_000, horizon=50)


def measure(task: str, seed: int, out: Path, quick: bool) -> dict[str, Any]:
    """Learn and evaluate; one row of the table."""
    folder = out / f"{task.replace('/', '-')}-{seed}"
    bank, begun = folder.with_suffix(".safetensors"), time.monotonic()
    if not bank.exists():
        shown = Recording(task, episodes=2 if quick else EXPERT, seed=seed)
        collect.run(collect.Config(bank, shown, states=EVERY))
    collected = time.monotonic() - begun
    settings = replace(SETTINGS, seed=seed, **({"env_steps": 4_096} if quick else {}))
    learned = learn.run(learn.Config("ppo", task, folder, settings, bank=bank))
    judged = EvalConfig(episodes=10 if quick else EPISODES, videos=0)
    found = evaluation.run(evaluation.Config(folder / "policy", folder / "eval", task, eval=judged))
    row = {"task": task, "seed": seed, "success": found["success"], "interval": found["interval"]}
    return row | {"env_steps": learned["env_steps"], "minutes": round((collected + learned["wall_s"]) / 60, 1)}


def main() -> None:
    """Every task and seed, and a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["franka/lift"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/ppo"))
    parser.add_argument("--quick", action="store_true", help="a check that it runs, no result")
    args = parser.parse_args()
    out, seeds = (args.out / "quick", [0]) if args.quick else (args.out, args.seeds)
    rows = []
    for task in args.tasks:
        for seed in seeds:
            rows.append(measure(task, seed, out, args.quick))
            print("| {task} | {seed} | {success:.1%} | {env_steps:,} | {minutes} min |".format(**rows[-1]))
    success = sum(row["success"] for row in rows) / len(rows)
    row = {"name": "ppo", "ours": round(success, 3), "peer": BAR, "unit": "success", "ratio": round(success / BAR, 3)}
    print(json.dumps({**row, "minutes": max(one["minutes"] for one in rows), "rows": rows}))


if __name__ == "__main__":
    main()
