"""Success of LIBERO's scripted experts over the fixed init states of whole suites.

`uv run python benchmarks/libero_experts.py [SUITE[/TASK] …] [--trials N] [--noise S] [--out runs/libero_experts]`.
Without `--trials` all 50 init states of every task are run; N of them are spread over the 50. The furniture stands
where openpi's evaluation has it (placement 7). Every finished episode is a line of `SUITE.jsonl`; run it again to go
on after an interruption. The last line is JSON: `ours` is the mean success, `peer` the bar of the suite.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from burnish.console import track
from burnish.datasets.experts.libero import LiberoExpert
from burnish.sim.libero.env import Libero
from burnish.sim.libero.starts import Start, address
from burnish.sim.records import wilson

STATES, PLACEMENT = 50, 7
BARS = {"object": 0.95, "spatial": 0.95, "goal": 0.8, "10": 0.5}


def main() -> None:
    """Run what is missing of every suite asked for and print a table per suite."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(BARS), help="suites or single tasks, e.g. object or goal/3")
    parser.add_argument("--trials", type=int, default=STATES, help="init states per task")
    parser.add_argument("--noise", type=float, default=0.0, help="on executed actions, in largest actions")
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/libero_experts"))
    args = parser.parse_args()
    states = sorted({round(state) for state in np.linspace(0, STATES - 1, args.trials)})
    rows = []
    for suite in args.suites:
        path = args.out / f"{suite.replace('/', '-')}{f'-noise{args.noise:g}' if args.noise else ''}.jsonl"
        with Libero(suite, num_envs=args.lanes, workers=args.workers) as env:
            expert = LiberoExpert(env, noise=args.noise)
            wanted = [(task, state) for task in range(len(env.members)) for state in states]
            done = read(path)
            missing = [key for key in wanted if key not in done]
            with track(f"Scripted experts on {suite}", len(wanted)) as advance:
                advance(len(wanted) - len(missing), "already finished")
                for row in run(env, expert, missing):
                    append(path, row)
                    done[row["task"], row["state"]] = row
                    advance(1, f"success {np.mean([one['success'] for one in done.values()]):.0%}")
            rows.append(report(suite, [task.name for task in env.members], [done[key] for key in wanted]))
    mean = float(np.mean([row["success"] for row in rows]))
    bar = float(np.mean([BARS.get(row["suite"].partition("/")[0], 1.0) for row in rows]))
    line = {"name": "libero_experts", "ours": mean, "peer": bar, "unit": "success", "ratio": round(mean / bar, 3)}
    print(json.dumps({**line, "rows": rows}))


def run(env: Libero, expert: LiberoExpert, missing: list[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    """Every episode (task, init state) of `missing`; a lane that is free takes the next one."""
    waiting = list(reversed(missing))
    running: dict[int, tuple[int, int]] = {}
    steps = [0] * env.num_envs
    while waiting or running:
        fresh = [lane for lane in range(env.num_envs) if lane not in running][: len(waiting)]
        if fresh:
            running |= {lane: waiting.pop() for lane in fresh}
            seeds = [address(Start(*running[lane], PLACEMENT)) for lane in fresh]
            obs = env.reset(seeds, fresh)
            expert.reset(fresh, seeds)
        step = env.step(expert.act(obs), ids=list(running))
        obs = step.obs
        for lane, (task, state) in list(running.items()):
            steps[lane] += 1
            if step.done[lane]:
                yield {"task": task, "state": state, "success": bool(step.terminated[lane]), "steps": steps[lane]}
                del running[lane]
                steps[lane] = 0


def read(path: Path) -> dict[tuple[int, int], dict[str, Any]]:
    """Episodes finished before."""
    if not path.exists():
        return {}
    # The last line of a run that was killed may be half written.
    lines = path.read_text().split("\n")[:-1]
    return {(row["task"], row["state"]): row for row in map(json.loads, lines)}


def append(path: Path, row: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def report(suite: str, names: list[str], episodes: list[dict[str, Any]]) -> dict[str, Any]:
    """Print one line per task; the suite's row of the result."""
    print(f"\n{suite}\n| task | success | 95 % interval | mean steps | failed init states |\n|---|---|---|---|---|")
    for task, name in enumerate(names):
        mine = [one for one in episodes if one["task"] == task]
        solved = [one for one in mine if one["success"]]
        low, high = wilson(len(solved), len(mine))
        steps = float(np.mean([one["steps"] for one in solved])) if solved else float("nan")
        failed = " ".join(str(one["state"]) for one in mine if not one["success"])
        print(f"| {name} | {len(solved)} / {len(mine)} | {low:.0%}–{high:.0%} | {steps:.0f} | {failed} |")
    total = sum(one["success"] for one in episodes)
    low, high = wilson(total, len(episodes))
    print(f"| all | {total} / {len(episodes)} = {total / len(episodes):.1%} | {low:.1%}–{high:.1%} | | |")
    solved = sum(one["steps"] for one in episodes if one["success"])
    success, steps = total / len(episodes), solved / max(total, 1)
    return {"suite": suite, "success": success, "episodes": len(episodes), "steps": steps}


if __name__ == "__main__":
    main()
