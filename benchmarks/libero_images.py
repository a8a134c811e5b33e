"""A policy that sees: two cameras of 128² and proprioception, one LIBERO task, trained on a CPU within an hour.

`uv run python benchmarks/libero_images.py [--task object/0] [--demos 50] [--steps 4000] [--seed 0] [--out DIR]`.
Scripted demonstrations from init states 0–29; success over the init states 30–49, which are in none of them. The policy
knows nothing that a robot would not: images, hand pose, fingers, instruction. Run it again to go on after an
interruption. The last line is JSON: `ours` is the seconds of training, `peer` the hour, `success` as it came out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from burnish.commands import collect, train
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.eval import EvalConfig
from burnish.contract import ENVIRONMENT_STATE
from burnish.policies.flow import FlowConfig
from burnish.policies.train import TrainConfig

FIRST_TRIAL, TRIALS = 30, 20
HOUR_S = 3600
POLICY = FlowConfig(horizon=16, replan=8)


def main() -> None:
    """Collect, render, train, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="object/0")
    parser.add_argument("--demos", type=int, default=50)
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/libero_images"))
    args = parser.parse_args()
    folder, task = args.out / f"{args.task.replace('/', '-')}-{args.seed}", f"libero/{args.task}"
    dataset, imitated = folder / "dataset", folder / "imitate"
    recording = Recording(task, episodes=args.demos, seed=args.seed)
    collect.run(collect.Config(dataset, recording, images=True))
    training = TrainConfig(steps=args.steps, batch_size=64, seed=args.seed)
    blind = (ENVIRONMENT_STATE,)
    trained = train.run(train.Config("flow", dataset, imitated, POLICY, training, without=blind))
    protocol = {"protocol": task, "trials": TRIALS, "first_trial": FIRST_TRIAL}
    judged = evaluation.run(
        evaluation.Config(imitated / "policy", folder / "eval", **protocol, eval=EvalConfig(videos=4))
    )
    low, high = judged["interval"]
    print(f"| {task} | {judged['success']:.0%} ({low:.0%}–{high:.0%}) | {trained['wall_s']:.0f} s |")
    row = {"name": "libero_images", "ours": trained["wall_s"], "peer": HOUR_S, "unit": "s"}
    print(json.dumps(row | {"ratio": round(HOUR_S / trained["wall_s"], 2), "success": judged["success"]}))


if __name__ == "__main__":
    main()
