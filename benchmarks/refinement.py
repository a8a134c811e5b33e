"""Refinement algorithms from one imitated policy: success against environment steps, in one table and one plot.

`uv run python benchmarks/refinement.py [--task metaworld/peg-insert-side] [--methods residual dppo …] [--seeds 0 1 2]
[--env-steps 800000] [--out runs/refinement] [--quick]`. The base is a flow policy that imitated too little, 30 to 60 %
success; PLANS has what it learned from, and the environment steps each method gets: 800,000, or fewer where a step
takes milliseconds, as in LIBERO (`--task libero/goal/7`). Residual RL needs fewer; `srpo-60` is SRPO within six tenths
of GRPO's steps. Success is over 100 fixed episodes with the final checkpoint, acting without noise. Run it again to go
on after an interruption. `success.svg` in the folder is the plot, of the episodes played while refining. The last line
is JSON: `ours` is RL-100's success, `peer` the imitated policy's.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from burnish.commands import collect, refine, train
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.eval import EvalConfig
from burnish.policies.flow import FlowConfig
from burnish.policies.trace import NoiseConfig
from burnish.policies.train import TrainConfig
from burnish.rl_finetune.dppo import DppoConfig
from burnish.rl_finetune.grpo import GrpoConfig
from burnish.rl_finetune.reinflow import ReinflowConfig
from burnish.rl_finetune.residual import ResidualConfig
from burnish.rl_finetune.rl100 import Rl100Config
from burnish.rl_finetune.srpo import SrpoConfig
from burnish.run import read_metrics

EPISODES = 100
POLICY = FlowConfig(horizon=8, replan=4, steps=4, width=32)


@dataclass(frozen=True)
class Plan:
    """How a task's base is made and refined.

    Attributes:
        demonstrations, imitation: what the base learns from, and its gradient steps.
        env_steps: of each method but residual RL.
        episodes: played before each improvement.
        rounds: of RL-100, offline.
        noise: of the likelihood methods; with 0.2 the policy of the bowl (`goal/8`) drops from 41 to 6 %, and learns
            nothing.
    """

    demonstrations: int
    imitation: int
    env_steps: int
    episodes: int
    rounds: int
    noise: float

    def methods(self) -> Mapping[str, Any]:
        """Settings of every method, on one core, so that two can be measured side by side."""
        noise = NoiseConfig(least=self.noise)
        shared: dict[str, Any] = {"env_steps": self.env_steps, "episodes": self.episodes, "noise": noise, "workers": 0}
        return {
            "residual": ResidualConfig(workers=0),
            "dppo": DppoConfig(**shared),
            "reinflow": ReinflowConfig(**shared),
            "grpo": GrpoConfig(**shared),
            "srpo": SrpoConfig(**shared),
            "srpo-60": SrpoConfig(**shared | {"env_steps": self.env_steps * 57 // 100}),  # and the round it is in
            "rl100": Rl100Config(**shared, rounds=self.rounds),
        }


PLANS: Mapping[str, Plan] = {
    "metaworld/peg-insert-side": Plan(4, 150, 800_000, 160, 8, 0.2),
    "libero/goal/7": Plan(4, 90, 300_000, 80, 4, 0.2),  # turn on the stove
    "libero/goal/8": Plan(10, 300, 200_000, 80, 4, 0.1),  # put the bowl on the plate, which must be held with precision
}
METHODS = list(PLANS["libero/goal/7"].methods())


def base(task: str, plan: Plan, out: Path) -> Path:
    """The imitated policy."""
    collect.run(collect.Config(out / "dataset", Recording(task, episodes=plan.demonstrations)))
    training = TrainConfig(steps=plan.imitation, warmup_steps=20)
    train.run(train.Config("flow", out / "dataset", out / "imitate", POLICY, training))
    return out / "imitate" / "policy"


def measure(method: str, settings: Any, task: str, policy: Path, out: Path) -> dict[str, Any]:
    """Refine with one method; one row of the table."""
    seed = settings.seed
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
    parser.add_argument("--task", choices=PLANS, default="metaworld/peg-insert-side")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--env-steps", type=int, help="of each method but residual RL; as PLANS has it")
    parser.add_argument("--out", type=Path, default=Path("runs/refinement"))
    parser.add_argument("--quick", action="store_true", help="one seed, some minutes, no result")
    args = parser.parse_args()
    seeds, out = ([0], args.out / "quick") if args.quick else (args.seeds, args.out)
    out = out / args.task.replace("/", "-")
    plan = PLANS[args.task]
    plan = replace(plan, env_steps=args.env_steps or plan.env_steps)
    policy = base(args.task, plan, out)
    start = judge(policy, args.task, out)["success"]
    rows = []
    for seed in seeds:
        for method in args.methods:
            settings = replace(plan.methods()[method], seed=seed, **({"env_steps": 8_000} if args.quick else {}))
            rows.append(measure(method, settings, args.task, policy, out))
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
