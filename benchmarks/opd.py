"""A token policy taught on its own states: VLA-OPD's three divergences, and GRPO, which has no teacher.

`uv run python benchmarks/opd.py [--task metaworld/peg-unplug-side] [--seeds 0 1 2] [--out runs/opd] [--quick]`. Teacher
and student write with one tokenizer; the student knows ten demonstrations by heart and is sure of itself, as one that
was fine-tuned on a few is, the teacher learned from sixty. The table has success over 100 fixed episodes, the
environment steps after which nine tenths of the teacher's success were reached while refining, and the student's mean
entropy per code: before, at its highest, and in the last round; `curves.svg` in the folder is the plot of success and
entropy. Run it again to go on after an interruption. The last line is JSON: `ours` are the reverse KL's steps, `peer`
GRPO's, or all it had if it did not get there.

The paper (arXiv 2603.26666): with forward KL the entropy explodes, with hard cross-entropy it collapses, with reverse
KL it stays.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from burnish.commands import collect, refine, tokenize, train
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.eval import EvalConfig
from burnish.policies.tokenizers.bins import BinsConfig
from burnish.policies.tokens import TokenConfig
from burnish.policies.train import TrainConfig
from burnish.rl_finetune.grpo import GrpoConfig
from burnish.rl_finetune.objective import ClipConfig
from burnish.rl_finetune.opd import OpdConfig
from burnish.run import read_metrics

DEMONSTRATIONS, FEW, EPISODES = 60, 10, 100
TOKENIZER = BinsConfig(horizon=4, bins=64)
SIZE = {"width": 64, "depth": 2}
TEACHER = TrainConfig(steps=3_000, batch_size=128, warmup_steps=50)
STUDENT = replace(TEACHER, steps=1_500)
STEPS, ALONE_STEPS = 30_000, 200_000
DIVERGENCES = ("reverse_kl", "forward_kl", "hard_ce")
TEACHING = OpdConfig(env_steps=STEPS, epochs=60)
"""As many epochs as it takes to get each round's divergence down: what tells the three apart is where they lead."""
ALONE = GrpoConfig(env_steps=ALONE_STEPS, clip=ClipConfig(low=0.2, high=0.28))
ENOUGH = 0.9
"""Of the teacher's success."""


def policies(task: str, out: Path, quick: bool) -> tuple[Path, Path]:
    """Teacher and student."""
    few = {"steps": 50} if quick else {}
    dataset, shown, codes = out / "dataset", out / "few", out / "tokenizer"
    for folder, episodes in ((dataset, DEMONSTRATIONS), (shown, FEW)):
        collect.run(collect.Config(folder, Recording(task, episodes=4 if quick else episodes)))
    tokenize.run(tokenize.Config("bins", dataset, codes, TOKENIZER))
    settings = TokenConfig(tokenizer=str(codes / "policy"), replan=4, **SIZE)
    made = []
    for name, data, training in (("teacher", dataset, TEACHER), ("student", shown, STUDENT)):
        train.run(train.Config("tokens", data, out / name, settings, replace(training, **few)))
        made.append(out / name / "policy")
    return made[0], made[1]


def measure(name: str, settings: Any, student: Path, task: str, out: Path) -> dict[str, Any]:
    """Teach or train one student; one row of the table."""
    folder = out / f"{name}-{settings.seed}"
    algorithm = "grpo" if isinstance(settings, GrpoConfig) else "opd"
    result = refine.run(refine.Config(algorithm, student, folder, settings, task=task))
    curve = read_metrics(folder)
    entropy = [row["entropy"] for row in curve if "entropy" in row]
    row = {"name": name, "seed": settings.seed, "env_steps": result["env_steps"], "refine_s": result["wall_s"]}
    row |= {"success": judge(folder / "policy", task, out)}
    row |= {"entropy": [entropy[0], max(entropy), entropy[-1]] if entropy else []}
    return row | {"curve": [(one["step"], one["success"], one.get("entropy")) for one in curve]}


def judge(policy: Path, task: str, out: Path) -> float:
    """Success over the fixed episodes."""
    fixed = EvalConfig(episodes=EPISODES, videos=0)
    return evaluation.run(evaluation.Config(policy, out / f"eval-{policy.parent.name}", task=task, eval=fixed))[
        "success"
    ]


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Success and entropy against environment steps."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, (success, entropy) = pyplot.subplots(1, 2, figsize=(10, 4))
    for index, name in enumerate(dict.fromkeys(row["name"] for row in rows)):
        for row in (one for one in rows if one["name"] == name):
            steps, rates, spread = zip(*row["curve"], strict=True)
            label = name if row["seed"] == rows[0]["seed"] else None
            success.plot(steps, rates, color=f"C{index}", label=label)
            if spread[0] is not None:
                entropy.plot(steps, spread, color=f"C{index}", label=label)
    success.set(xlabel="environment steps", ylabel="success while refining", ylim=(0, 1.02))
    entropy.set(xlabel="environment steps", ylabel="entropy per code, nats")
    success.legend()
    figure.tight_layout()
    figure.savefig(path)


def reached(row: dict[str, Any], level: float) -> int | None:
    """Environment steps of the first three rounds in a row whose mean success is `level`; None: there are none."""
    curve = row["curve"]
    for last in range(2, len(curve)):
        if sum(one[1] for one in curve[last - 2 : last + 1]) / 3 >= level:
            return curve[last][0]
    return None


def main() -> None:
    """Measure all of it; a table, a plot and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="metaworld/peg-unplug-side")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/opd"))
    parser.add_argument("--quick", action="store_true", help="one seed, some minutes, no result")
    args = parser.parse_args()
    seeds, out = ([0], args.out / "quick") if args.quick else (args.seeds, args.out)
    teacher, student = policies(args.task, out, args.quick)
    before = {name: judge(policy, args.task, out) for name, policy in (("teacher", teacher), ("student", student))}
    print("teacher {teacher:.0%}, student {student:.0%}".format(**before), flush=True)
    few, rows = ({"env_steps": 4_000} if args.quick else {}), []
    for seed in seeds:
        plans = {each: replace(TEACHING, teacher=teacher, divergence=each) for each in DIVERGENCES} | {"grpo": ALONE}
        for name, settings in plans.items():
            row = measure(name, replace(settings, seed=seed, **few), student, args.task, out)
            rows.append(row | {"reached": reached(row, ENOUGH * before["teacher"])})
            entropy = " → ".join(f"{value:.2f}" for value in row["entropy"]) or "–"
            when = f"{rows[-1]['reached']:,}" if rows[-1]["reached"] else "–"
            line = "| {name} | {seed} | {success:.0%} | {env_steps:,} | {refine_s:.0f} s |".format(**row)
            print(f"{line} {when} | {entropy} |", flush=True)
    draw(rows, out / "curves.svg")
    steps = {
        name: sum(row["reached"] or row["env_steps"] for row in rows if row["name"] == name) / len(seeds)
        for name in ("reverse_kl", "grpo")
    }
    line = {"name": "opd", "ours": steps["reverse_kl"], "peer": steps["grpo"], "unit": "environment steps"}
    print(json.dumps({**line, "ratio": round(steps["reverse_kl"] / steps["grpo"], 3), **before, "rows": rows}))


if __name__ == "__main__":
    main()
