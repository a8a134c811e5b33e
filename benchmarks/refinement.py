"""Refinement algorithms from one imitated policy: success against environment steps, in one table and one plot.

`uv run python benchmarks/refinement.py [--task metaworld/peg-insert-side] [--methods residual dppo …] [--seeds 0 1 2]
[--out runs/refinement] [--quick]`. The base is a flow policy that imitated too little: four demonstrations and 150
gradient steps, 30 to 60 % success. Every method has the same environment steps but residual RL, which needs fewer, and
`srpo-60`, SRPO with six tenths of GRPO's, to be compared with GRPO.
Success is over 100 fixed episodes with the final checkpoint, acting without noise. Run it again to go on after an
interruption. `success.svg` in the folder is the plot, of the episodes played while refining. The last line is JSON:
`ours` is RL-100's success, `peer` the imitated policy's.
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

from burnish.commands import collect, refine, train
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.eval import EvalConfig
from burnish.policies.flow import FlowConfig
from burnish.policies.train import TrainConfig
from burnish.rl_finetune.dppo import DppoConfig
from burnish.rl_finetune.grpo import GrpoConfig
from burnish.rl_finetune.reinflow import ReinflowConfig
from burnish.rl_finetune.residual import ResidualConfig
from burnish.rl_finetune.rl100 import Rl100Config
from burnish.rl_finetune.srpo import SrpoConfig
from burnish.run import read_metrics

DEMONSTRATIONS, EPISODES = 4, 100
POLICY = FlowConfig(horizon=8, replan=4, steps=4, width=32)
TRAINING = TrainConfig(steps=150, warmup_steps=20)
SHARED: dict[str, Any] = {"env_steps": 800_000, "workers": 0}
"""One core each, so that two methods can be measured side by side."""
METHODS: Mapping[str, Any] = {
    "residual": ResidualConfig(workers=0),
    "dppo": DppoConfig(**SHARED),
    "reinflow": ReinflowConfig(**SHARED),
    "grpo": GrpoConfig(**SHARED),
    "srpo": SrpoConfig(**SHARED),
    "srpo-60": SrpoConfig(**SHARED | {"env_steps": 480_000}),
    "rl100": Rl100Config(**SHARED),
}


def base(task: str, out: Path) -> Path:
    """The imitated policy."""
    collect.run(collect.Config(out / "dataset", Recording(task, episodes=DEMONSTRATIONS)))
    train.run(train.Config("flow", out / "dataset", out / "imitate", POLICY, TRAINING))
    return out / "imitate" / "policy"


def measure(method: str, seed: int, task: str, policy: Path, out: Path, quick: bool) -> dict[str, Any]:
    """Refine with one method; one row of the table."""
    settings = replace(METHODS[method], seed=seed, **({"env_steps": 8_000} if quick else {}))
    folder = out / f"{method}-{seed}"
    known: dict[str, Any] = {"task": task}
    if method in ("residual", "rl100"):
        known = {"dataset": out / "dataset"}
    result = refine.run(refine.Config(method.removesuffix("-60"), policy, folder, settings, **known))
    row = {"method": method, "seed": seed, "env_steps": result["env_steps"], "refine_s": result["wall_s"]}
    row |= {"success": judge(folder / "policy", task, out)["success"]}
    if (folder / "one_step").exists():
        row["one_step"] = judge(folder / "one_step", task, out)["success"]
        row["rank_correlation"] = result["rank_correlation"]
    row["curve"] = [(one["step"], one["success"]) for one in read_metrics(folder) if "success" in one]
    return row


def judge(policy: Path, task: str, out: Path, episodes: int = EPISODES) -> dict[str, Any]:
    """The fixed episodes."""
    fixed = EvalConfig(episodes=episodes, videos=0)
    folder = out / f"eval-{policy.parent.name}-{policy.name}"
    return evaluation.run(evaluation.Config(policy, folder, task=task, eval=fixed))


def draw(rows: list[dict[str, Any]], start: float, path: Path) -> None:
    """Success against environment steps, a line per run, a colour per method."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for index, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        for row in rows:
            if row["method"] == method and row["curve"]:
                steps, success = zip(*row["curve"], strict=True)
                label = method if row["seed"] == rows[0]["seed"] else None
                axes.plot(steps, success, color=f"C{index}", alpha=0.8, label=label)
    axes.axhline(start, color="grey", linestyle=":", label="imitation")
    axes.set(xlabel="environment steps", ylabel="success while refining", ylim=(0, 1.02))
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Measure every method and seed; a table, a plot and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="metaworld/peg-insert-side")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/refinement"))
    parser.add_argument("--quick", action="store_true", help="one seed, some minutes, no result")
    args = parser.parse_args()
    seeds, out = ([0], args.out / "quick") if args.quick else (args.seeds, args.out)
    out = out / args.task.replace("/", "-")
    policy = base(args.task, out)
    start = judge(policy, args.task, out)["success"]
    rows = []
    for seed in seeds:
        for method in args.methods:
            rows.append(measure(method, seed, args.task, policy, out, args.quick))
            line = "| {method} | {seed} | {success:.0%} | {env_steps:,} | {refine_s:.0f} s |".format(**rows[-1])
            one_step = rows[-1].get("one_step")
            print(line + (f" one step {one_step:.0%} |" if one_step is not None else " |"), flush=True)
    draw(rows, start, out / "success.svg")
    mean = {
        method: sum(row["success"] for row in rows if row["method"] == method) / len(seeds) for method in args.methods
    }
    ours = mean.get("rl100", max(mean.values()))
    line = {"name": "refinement", "ours": ours, "peer": start, "unit": "success"}
    print(json.dumps(line | {"ratio": round(ours / max(start, 0.01), 3), "methods": mean, "rows": rows}))


if __name__ == "__main__":
    main()
