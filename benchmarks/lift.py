"""A teacher by PPO, imitation refined by residual RL, and a student that sees: the success bars of `franka/lift`.

`uv run python benchmarks/lift.py [--expert ppo|scripted] [--seeds 0 1 2] [--out runs/lift] [--quick]`. PPO learns the
task from its state (`benchmarks/ppo.py`) and shows it 300 times; an mlp imitates that and is refined; a student that
looks at a point cloud instead of the cube's pose is distilled from the best that knows it. With `--expert
scripted` the world's own expert shows the task and the refined policy teaches, which takes no PPO. Success is over 200
fixed episodes. Run it again to go on after an interruption. The last line is JSON: `ours` is the mean refined success,
`peer` that of imitation before it. Bars: PPO 95 % within 30 minutes, refined 98 %, student 85 %.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ppo

from burnish.commands import collect, distill, refine, train
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.demo import RECIPES
from burnish.commands.eval import EvalConfig
from burnish.policies.mlp import MLPConfig
from burnish.policies.networks.points import PointsConfig
from burnish.policies.train import TrainConfig
from burnish.rl_finetune.distill import DistillConfig
from burnish.rl_finetune.residual import ResidualConfig

TASK, EPISODES = "franka/lift", 200
RECORDING = Recording(TASK, episodes=300)
POLICIES = {"scripted": MLPConfig(), "ppo": MLPConfig(step=ppo.SETTINGS.policy.step)}
"""At every step anew: where fingers close, 0.4 s of a plan are too long. Its steps are as large as the expert's."""
TRAINING = TrainConfig(steps=16_000)
REFINEMENT: ResidualConfig = replace(RECIPES["franka"]["refine"], critic_warmup=2_000)
STUDENT = DistillConfig(name="mlp", points=256, batch_size=128, rounds=10, env_steps=40_000)
READING = PointsConfig(width=32)
"""Layer norms of every point in every layer are nearly all that its learning takes."""


def measure(expert: str, seed: int, out: Path, quick: bool) -> dict[str, Any]:
    """Every stage with one seed; success and minutes of each."""
    folder, row = out / f"{expert}-{seed}", {"expert": expert, "seed": seed}
    dataset, imitated, refined, student = (folder / name for name in ("dataset", "imitate", "refine", "student"))
    teacher, shows = refined / "policy", expert
    if expert == "ppo":
        row["ppo"] = ppo.measure(TASK, seed, out / "ppo", quick)
        teacher = out / "ppo" / f"{TASK.replace('/', '-')}-{seed}" / "policy"
        shows = str(teacher)

    def judge(made: Path) -> dict[str, Any]:
        judged = EvalConfig(episodes=10 if quick else EPISODES, videos=0)
        found = evaluation.run(evaluation.Config(made / "policy", folder / f"eval-{made.name}", TASK, eval=judged))
        return {"success": found["success"], "interval": found["interval"]}

    recording = replace(RECORDING, seed=seed, **({"episodes": 2} if quick else {}))
    collect.run(collect.Config(dataset, recording, "scripted" if quick else shows))
    training = replace(TRAINING, seed=seed, **({"steps": 100} if quick else {}))
    trained = train.run(train.Config("mlp", dataset, imitated, POLICIES[expert], training))
    row["imitation"] = judge(imitated) | minutes(trained)
    short: dict[str, Any] = {"env_steps": 1_000, "warmup_steps": 800, "critic_warmup": 50}
    refinement = replace(REFINEMENT, seed=seed, **(short if quick else {}))
    better = refine.run(refine.Config("residual", imitated / "policy", refined, refinement, dataset))
    row["refined"] = judge(refined) | minutes(better)
    short = {"env_steps": 400, "rounds": 2, "updates": 5, "points": 64}
    reading = replace(POLICIES[expert], points=READING)
    distillation = replace(STUDENT, student=reading, seed=seed, **(short if quick else {}))
    taught = distill.run(distill.Config(teacher, student, task=TASK, distill=distillation))
    row["student"] = judge(student) | minutes(taught)
    return row


def minutes(result: dict[str, Any]) -> dict[str, float]:
    """How long it took."""
    return {"minutes": round(result["wall_s"] / 60, 1)}


def main() -> None:
    """Every seed, and a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--expert", choices=("ppo", "scripted"), default="ppo")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=Path("runs/lift"))
    parser.add_argument("--quick", action="store_true", help="a check that it runs, no result")
    args = parser.parse_args()
    out, seeds = (args.out / "quick", [0]) if args.quick else (args.out, args.seeds)
    rows = [measure(args.expert, seed, out, args.quick) for seed in seeds]
    for row in rows:
        for stage in ("ppo", "imitation", "refined", "student"):
            if stage in row:
                print(f"| {stage} | {row['seed']} | {row[stage]['success']:.1%} | {row[stage]['minutes']} min |")
    ours, peer = (sum(row[name]["success"] for row in rows) / len(rows) for name in ("refined", "imitation"))
    line = {"name": "lift", "ours": ours, "peer": peer, "unit": "success", "ratio": round(ours / max(peer, 0.01), 3)}
    print(json.dumps({**line, "rows": rows}))


if __name__ == "__main__":
    main()
