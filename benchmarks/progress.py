"""SRPO's reward of failures against how far they really came: as its released code has it, and as it is here.

`uv run python benchmarks/progress.py [--tasks metaworld/push …] [--episodes 64] [--out runs/progress]`. Policies that
imitated for 25, 50, 100 and 200 gradient steps each play one batch per task, as refinement meets them one after the
other. True progress of an episode is Meta-World's dense reward of its last step, which SRPO never sees. Both forms
measure in the latent space that SRPO learns from these rollouts. The table has Spearman's rank correlation over the
failures of each task, and the progress of the failures that got more than 0.5, beside that of all. The last line is
JSON: `ours` is the mean correlation of the form that is used here, `peer` the published form's.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from burnish.commands import collect, train
from burnish.commands.collect import Recording
from burnish.contract import STATE
from burnish.policies.base import Policy, load_policy
from burnish.policies.flow import FlowConfig
from burnish.policies.trace import NoiseConfig
from burnish.policies.train import TrainConfig
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.episodes import Episode, Player, Start
from burnish.rl_finetune.ranks import rank_correlation
from burnish.rl_finetune.srpo import progress_distance, progress_reward, published_distance
from burnish.rl_finetune.worlds import TimeEncoder, TimeEncoderConfig
from burnish.sim.base import Step, VecEnv, make_env, next_seed

TASKS = ("metaworld/push", "metaworld/pick-place", "metaworld/drawer-open")
TRAINED = (25, 50, 100, 200)
DEMONSTRATIONS, HORIZON, LANES = 4, 200, 16
POLICY = FlowConfig(horizon=8, replan=4, steps=4, width=32)
HIGH = 0.5
"""Of at most 0.6: what a failure gets that all but succeeded."""


def policies(task: str, out: Path) -> list[Policy]:
    """From hardly to half trained."""
    collect.run(collect.Config(out / "dataset", Recording(task, episodes=DEMONSTRATIONS)))
    made = []
    for steps in TRAINED:
        folder = out / f"imitate-{steps}"
        train.run(train.Config("flow", out / "dataset", folder, POLICY, TrainConfig(steps=steps, warmup_steps=10)))
        made.append(load_policy(folder / "policy"))
    return made


class Watched:
    """An environment whose dense reward at the end of each episode is kept, by what was observed last."""

    def __init__(self, env: VecEnv) -> None:
        self._env, self.progress = env, dict[bytes, float]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def step(self, *args: Any, **options: Any) -> Step:
        """As the environment's."""
        step = self._env.step(*args, **options)
        for lane in step.done.nonzero()[:, 0].tolist():
            self.progress[_key(step.info["final_obs"], lane)] = float(step.info["dense_reward"][lane])
        return step

    def of(self, one: Episode) -> float:
        """How far it came."""
        return self.progress[_key(one.last, 0)]


def _key(obs: Mapping[str, Tensor], lane: int) -> bytes:
    return obs[STATE][lane].numpy().tobytes()


def batch(policy: Policy, env: Watched, episodes: int, seed: int) -> list[Episode]:
    """What it plays."""
    generator = torch.Generator().manual_seed(seed)
    seeds = torch.randint(2**62, (episodes, 2), generator=generator).tolist()
    chain = policy.chain(NoiseConfig()).eval()
    return Player(chain, cast(VecEnv, env), Clock()).play([Start(next_seed(one), noise) for one, noise in seeds])


def rewards(batches: Sequence[Sequence[Episode]], policy: Policy) -> dict[str, list[float]]:
    """Of every failure, batch after batch, by both forms; of batches that no success came before, none."""
    world, generator, known = TimeEncoder(policy, TimeEncoderConfig(), 0), torch.Generator().manual_seed(0), []
    found: dict[str, list[float]] = {"published": [], "here": [], "batch": [], "row": []}
    for number, played in enumerate(batches):
        world.fit(played, generator)
        known += [world.end(one) for one in played if one.success]
        failed = [row for row, one in enumerate(played) if not one.success]
        if not known or len(failed) < 2:
            continue
        ends = world.latent(torch.cat([world.end(played[row]) for row in failed]))
        starts = world.latent(torch.cat([world.start(played[row]) for row in failed]))
        successes = world.latent(torch.cat(known))
        found["published"] += progress_reward(published_distance(ends, successes)).tolist()
        found["here"] += progress_reward(progress_distance(ends, starts, successes)).tolist()
        found["batch"] += [number] * len(failed)
        found["row"] += failed
    return found


def measure(task: str, episodes: int, out: Path) -> dict[str, float | str]:
    """One row of the table."""
    made = policies(task, out)
    with make_env(task, LANES, horizon=HORIZON, dense_reward=True) as env:
        watched = Watched(env)
        batches = [batch(policy, watched, episodes, seed) for seed, policy in enumerate(made)]
    given = rewards(batches, made[-1])
    true = [
        watched.of(batches[int(number)][int(row)]) for number, row in zip(given["batch"], given["row"], strict=True)
    ]
    line: dict[str, float | str] = {"task": task, "failures": len(true), "mean": sum(true) / max(len(true), 1)}
    for form in ("published", "here"):
        high = [far for far, reward in zip(true, given[form], strict=True) if reward > HIGH]
        line |= {
            form: rank_correlation(given[form], true),
            f"{form}_high": sum(high) / max(len(high), 1),
            f"{form}_highs": len(high),
        }
    return line


def main() -> None:
    """Every task; a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--episodes", type=int, default=64, help="of each policy")
    parser.add_argument("--out", type=Path, default=Path("runs/progress"))
    args = parser.parse_args()
    print("| task | failures, their progress | published: ρ | above 0.5 | here: ρ | above 0.5 |\n" + "|---" * 6 + "|")
    lines = []
    for task in args.tasks:
        lines.append(measure(task, args.episodes, args.out / task.replace("/", "-")))
        print(
            "| {task} | {failures}: {mean:.0%} | {published:.2f} | {published_highs}: {published_high:.0%} | "
            "{here:.2f} | {here_highs}: {here_high:.0%} |".format(**lines[-1]),
            flush=True,
        )
    ours, peer = (sum(float(line[form]) for line in lines) / len(lines) for form in ("here", "published"))
    line = {"name": "progress", "ours": ours, "peer": peer, "unit": "rank correlation"}
    print(json.dumps(line | {"ratio": round(ours / max(peer, 0.01), 3), "tasks": lines}))


if __name__ == "__main__":
    main()
