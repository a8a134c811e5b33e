"""Imitation and refinement on ten Meta-World tasks with one set of hyperparameters: the demo's first five stages.

`uv run python benchmarks/ten_tasks.py [--tasks A B …] [--seeds 0 1 …] [--out runs/metaworld] [--quick]`. Success is
over 100 fixed episodes with the final checkpoint. The settings are the demo's, except that imitation trains as long as
`burnish train` does by itself. Run it again to go on after an interruption. `--quick` shows the whole path on one task
within a minute, with far too little training to be a result. The last line is JSON: `ours` is the mean refined success,
`peer` the mean success of imitation before it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from burnish.commands import demo
from burnish.files import read_json
from burnish.policies.train import TrainConfig

TASKS = (
    "assembly", "hammer", "pick-place-wall", "shelf-place", "stick-pull",
    "hand-insert", "disassemble", "push-wall", "soccer", "basketball",
)  # fmt: skip


def configure(task: str, seed: int, out: Path, quick: bool) -> demo.Config:
    """The demo's own settings, with the usual training and without films."""
    config = demo.Config(f"metaworld/{task}", out / f"{task}-{seed}", seed)
    config = replace(config, train=TrainConfig(), eval=replace(config.eval, videos=0))
    if not quick:
        return config
    return replace(
        config,
        collect=replace(config.collect, episodes=2),
        train=replace(config.train, steps=50),
        refine=replace(config.refine, env_steps=1_000, warmup_steps=800, critic_warmup=50),
        eval=replace(config.eval, episodes=10),
    )


def measure(config: demo.Config) -> dict[str, Any]:
    """Collect, train, evaluate, refine, evaluate; one row of the table."""
    for stage in demo.stages(config)[:5]:
        stage()
    results = {name: read_json(config.out / name / "result.json") for name in ("eval-imitate", "refine", "eval-refine")}
    return {
        "task": config.task.partition("/")[2],
        "seed": config.seed,
        "imitation": results["eval-imitate"]["success"],
        "refined": results["eval-refine"]["success"],
        "env_steps": results["refine"]["env_steps"],
        "refine_s": results["refine"]["wall_s"],
    }


def main() -> None:
    """Measure every task and seed and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), help="Meta-World tasks without '-v3'")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=Path("runs/metaworld"))
    parser.add_argument("--quick", action="store_true", help="one task, one minute, no result")
    args = parser.parse_args()
    tasks, out = (["assembly"], args.out / "quick") if args.quick else (args.tasks, args.out)
    rows = []
    for seed in args.seeds:
        for task in tasks:
            rows.append(measure(configure(task, seed, out, args.quick)))
            print(
                "| {task} | {seed} | {imitation:.0%} | {refined:.0%} | {env_steps:,} | {refine_s:.0f} s |".format(
                    **rows[-1]
                )
            )
    mean = {name: sum(row[name] for row in rows) / len(rows) for name in ("refined", "imitation")}
    lowest = min(rows, key=lambda row: row["refined"])
    print(f"mean refined {mean['refined']:.1%}, lowest {lowest['refined']:.0%} ({lowest['task']})")
    row = {"name": "metaworld", "ours": mean["refined"], "peer": mean["imitation"], "unit": "success"}
    print(json.dumps({**row, "ratio": round(mean["refined"] / max(mean["imitation"], 0.01), 3), "rows": rows}))


if __name__ == "__main__":
    main()
