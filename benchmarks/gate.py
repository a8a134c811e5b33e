"""RL-100's gate: what it lets through, and what offline rounds bring.

`uv run python benchmarks/gate.py [--seeds 0 1 2] [--out runs/gate] [--quick]`. The
base is that of `benchmarks/refinement.py`. Success is over 200 fixed episodes, acting without noise.

- "success only": one round from the demonstrations, nothing imitated after it: what passed the gate, or was taken back.
- "success only, no gate": the same, with everything let through.
- "mixed": all rounds, each of which adds its own episodes, four tenths of which failed at first.
- "mixed, no imitation": the same, of which only what passes the gate is kept.

Run it again to go on after an interruption. The last line is JSON: `ours` is success after the rounds on mixed data,
`peer` the imitated policy's.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import refinement

from burnish.commands import refine
from burnish.rl_finetune.rl100 import Rl100Config
from burnish.run import read_metrics

EPISODES = 200
TASK = "metaworld/peg-insert-side"
PLAN = refinement.PLANS[TASK]
OFFLINE = replace(PLAN.methods()["rl100"], env_steps=1)
CASES: Mapping[str, Rl100Config] = {
    "success only": replace(OFFLINE, rounds=1, imitation=0),
    "success only, no gate": replace(OFFLINE, rounds=1, imitation=0, margin=-1.0),
    "mixed": OFFLINE,
    "mixed, no imitation": replace(OFFLINE, imitation=0),
}


def measure(case: str, seed: int, task: str, policy: Path, out: Path, quick: bool) -> dict[str, Any]:
    """One row of the table."""
    settings = replace(CASES[case], seed=seed, **({"rounds": 1} if quick else {}))
    folder = out / f"{case.replace(', ', '-').replace(' ', '-')}-{seed}"
    result = refine.run(refine.Config("rl100", policy, folder, settings, dataset=out / "dataset"))
    rounds = read_metrics(folder)
    row = {"case": case, "seed": seed, "env_steps": result["env_steps"], "refine_s": result["wall_s"]}
    row |= {"rounds": [(one["estimate_before"], one["estimate"], one["accepted"], one["success"]) for one in rounds]}
    return row | {"success": refinement.judge(folder / "policy", task, out, EPISODES)["success"]}


def main() -> None:
    """Measure every case and seed; a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--out", type=Path, default=Path("runs/gate"))
    parser.add_argument("--quick", action="store_true", help="one seed, some minutes, no result")
    args = parser.parse_args()
    seeds, out = ([0], args.out / "quick") if args.quick else (args.seeds, args.out)
    out = out / TASK.replace("/", "-")
    policy = refinement.base(TASK, PLAN, out)
    start = refinement.judge(policy, TASK, out, EPISODES)["success"]
    print(f"imitated: {start:.0%}", flush=True)
    rows = []
    for case in args.cases:
        for seed in seeds:
            rows.append(row := measure(case, seed, TASK, policy, out, args.quick))
            passed = sum(each[2] for each in row["rounds"])
            line = "| {case} | {seed} | {success:.0%} | {env_steps:,} | {refine_s:.0f} s |".format(**row)
            print(f"{line} {passed:.0f} of {len(row['rounds'])} let through |", flush=True)
    of = {case: [row["success"] for row in rows if row["case"] == case] for case in args.cases}
    mean = {case: sum(found) / len(found) for case, found in of.items()}
    ours = mean.get("mixed", max(mean.values()))
    line = {"name": "gate", "ours": ours, "peer": start, "unit": "success"}
    print(json.dumps(line | {"ratio": round(ours / max(start, 0.01), 3), "cases": mean, "rows": rows}))


if __name__ == "__main__":
    main()
