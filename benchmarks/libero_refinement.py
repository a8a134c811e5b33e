"""One multi-task policy per LIBERO suite: scripted demonstrations, imitation, refinement from sparse success.

`uv run python benchmarks/libero_refinement.py [--suites object spatial] [--seed 0] [--out DIR] [--quick]`. State
observations and instructions; 20 demonstrations per task. Success is over 10 tasks × 20 init states (30–49) that are
neither in the demonstrations nor met in refinement. Run it again to go on after an interruption. `--quick` shows the
whole path in some minutes, with far too little training to be a result. The last line is JSON: `ours` is the mean
refined success, `peer` that of imitation before it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from burnish.commands import collect, refine, train
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.eval import EvalConfig
from burnish.policies.flow import FlowConfig
from burnish.policies.train import TrainConfig
from burnish.rl_finetune.critics import LearnerConfig
from burnish.rl_finetune.residual import ResidualConfig

DEMONSTRATIONS = 20
FIRST_TRIAL, TRIALS = 30, 20
POLICY = FlowConfig(horizon=16, replan=8)
TRAINING = TrainConfig(steps=20_000)
REFINEMENT = ResidualConfig(
    env_steps=40_000,
    warmup_steps=6_000,
    action_scale=0.3,
    gamma=0.997,
    warmup_scale=0.67,
    noise=0.5,
    learner=LearnerConfig(
        critics=5, critic_hidden=128, judged="gain", imitation=0.09, target_noise=0.17, target_noise_clip=1.0
    ),
)


def measure(suite: str, seed: int, out: Path, quick: bool) -> dict[str, Any]:
    """Every stage of one suite; one row of the table."""
    folder, task = out / f"{suite}-{seed}", f"libero/{suite}"
    episodes, trials = (1, 1) if quick else (DEMONSTRATIONS, TRIALS)
    training = replace(TRAINING, seed=seed, **({"steps": 100} if quick else {}))
    short = {"env_steps": 1_000, "warmup_steps": 800, "critic_warmup": 50}
    refinement = replace(REFINEMENT, seed=seed, **(short if quick else {}))

    def judge(made: Path) -> dict[str, Any]:
        return evaluation.run(
            evaluation.Config(
                made / "policy",
                folder / f"eval-{made.name}",
                protocol=task,
                trials=trials,
                first_trial=FIRST_TRIAL,
                eval=EvalConfig(videos=0),
            )
        )

    dataset, imitated, refined = folder / "dataset", folder / "imitate", folder / "refine"
    collected = collect.run(collect.Config(dataset, collect=Recording(task, episodes=episodes, seed=seed)))
    train.run(train.Config("flow", dataset, imitated, POLICY, training))
    before = judge(imitated)
    result = refine.run(refine.Config("residual", imitated / "policy", refined, refinement, dataset))
    after = judge(refined)
    return {
        "suite": suite,
        "seed": seed,
        "expert": collected["success"],
        "imitation": before["success"],
        "imitation_interval": before["interval"],
        "refined": after["success"],
        "refined_interval": after["interval"],
        "lowest": min(row["success"] for row in after["tasks"]),
        "env_steps": result["env_steps"],
        "refine_s": result["wall_s"],
    }


def main() -> None:
    """Measure every suite and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", nargs="+", default=["object", "spatial"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/libero"))
    parser.add_argument("--quick", action="store_true", help="one suite, some minutes, no result")
    args = parser.parse_args()
    suites, out = (args.suites[:1], args.out / "quick") if args.quick else (args.suites, args.out)
    rows = []
    for suite in suites:
        rows.append(measure(suite, args.seed, out, args.quick))
        print(
            "| {suite} | {seed} | {imitation:.1%} | {refined:.1%}, lowest task {lowest:.0%} | "
            "{env_steps:,} | {refine_s:.0f} s |".format(**rows[-1])
        )
    mean = {name: sum(row[name] for row in rows) / len(rows) for name in ("refined", "imitation")}
    row = {"name": "libero", "ours": mean["refined"], "peer": mean["imitation"], "unit": "success"}
    print(json.dumps({**row, "ratio": round(mean["refined"] / max(mean["imitation"], 0.01), 3), "rows": rows}))


if __name__ == "__main__":
    main()
