"""Behaviour tokens on long tasks: pairs of LIBERO goals, a third of which is in no demonstration.

`uv run python benchmarks/omnijarvis.py [--demos 60] [--seed 0] [--out DIR] [--quick]`. State observations and
instructions; scripted demonstrations of the eight pairs of `libero/chains`. Three questions: how much of the codebook
is used; whether the decoder with the codes of a demonstration from the same start does better than without
(`libero/chains`, init states 30–44); whether the sequence model chooses codes that solve the four pairs of
`libero/chains-held-out` (init states 30–49), beside a flow policy that imitates the same data. Run it again to go on
after an interruption. `--quick` shows the whole path in some minutes, with far too little training to be a result. The
last line is JSON: `ours` is the success on held-out pairs, `peer` that of the flow policy.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from burnish.commands import collect, train
from burnish.commands import eval as evaluation
from burnish.commands.collect import Recording
from burnish.commands.eval import EvalConfig
from burnish.datasets.demonstrations import Demonstrations, Episode
from burnish.datasets.experts.libero import LiberoExpert
from burnish.datasets.store import load_demonstrations, write_dataset
from burnish.policies.base import load_policy
from burnish.policies.behaviour import Behaviour, BehaviourConfig, use
from burnish.policies.flow import FlowConfig
from burnish.policies.omnijarvis import OmniJarvisConfig
from burnish.policies.train import TrainConfig
from burnish.sim.base import make_env, make_env_for
from burnish.sim.evaluate import evaluate
from burnish.sim.libero.env import Libero
from burnish.sim.protocols import Protocol, protocols
from burnish.sim.records import Evaluation

TRAINED, HELD_OUT = "libero/chains", "libero/chains-held-out"
FIRST_TRIAL = 30
TRIALS = {TRAINED: 15, HELD_OUT: 20}
"""120 and 80 episodes."""
LEVELS = {"small": (4, 4, 4, 3, 3), "paper": (8, 8, 8, 6, 5)}
"""576 codes, with which the policy is trained, and the paper's 15,360, more than there are segments."""
SEGMENTS = TrainConfig(steps=10_000, batch_size=32)
SEQUENCES = TrainConfig(steps=4_000, batch_size=64, lr=5e-4, weight_decay=1e-2)
CHUNKS = TrainConfig(steps=10_000)
FLOW = FlowConfig(horizon=16, replan=8, clauses=3)
WORKERS = 1


class Showing:
    """The scripted expert as an agent that keeps what each lane saw and did, by the seed of the episode."""

    def __init__(self, env: Libero) -> None:
        self._expert, self._fresh, self._seeds = LiberoExpert(env), {}, {}
        self.frames: dict[int, list[tuple[dict[str, Any], Any]]] = {}

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        self._fresh |= dict(zip(lanes, seeds, strict=True))

    def looks(self) -> list[int]:
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        if self._fresh:  # the episodes have begun by now, so that the expert can look at them
            self._expert.reset(list(self._fresh), list(self._fresh.values()))
            self._seeds, self._fresh = self._seeds | self._fresh, {}
        action = self._expert.act(obs)
        for lane, seed in self._seeds.items():
            seen = {key: value[lane].numpy().copy() for key, value in obs.items()}
            self.frames.setdefault(seed, []).append((seen, self._expert.label[lane].numpy().copy()))
        return action


def show(protocol: Protocol, out: Path) -> Demonstrations:
    """The expert, undisturbed, in every episode of `protocol`, in order; also where it fails."""
    if not out.exists():
        with make_env(protocol.task, protocol.lanes, workers=WORKERS, horizon=protocol.horizon) as env:
            assert isinstance(env, Libero)
            agent = Showing(env)
            played = evaluate(agent, env, protocol)
            episodes = []
            for one in played.records:
                frames = agent.frames[protocol.noise_seed(one.episode)][: one.length]
                obs = {
                    key: torch.stack([torch.from_numpy(seen[key]) for seen, _ in frames]).numpy()
                    for key in frames[0][0]
                }
                episodes.append(Episode(obs, torch.stack([torch.from_numpy(action) for _, action in frames]).numpy()))
            demos = Demonstrations.of(env.contract, env.task, episodes)
            write_dataset(demos, out, {"success.json": {"success": played.success}})
    return load_demonstrations(out)


def follow(behaviour: Behaviour, demos: Demonstrations, protocol: Protocol, folder: Path) -> Evaluation:
    """The decoder with the codes of the demonstration that begins where it begins."""
    segments = behaviour.sampler(demos, 1, seed=0)
    shown = {}
    for episode, (start, end) in enumerate(zip(demos.starts, demos.ends, strict=True)):
        rows = torch.arange(int(start), int(end), behaviour.replan)
        shown[protocol.noise_seed(episode)] = behaviour.digits(segments.gather(rows))
    with make_env_for(
        behaviour.contract, protocol.task, protocol.lanes, here="behaviour", workers=WORKERS, horizon=protocol.horizon
    ) as env:
        return evaluate(behaviour.follower(shown, protocol.lanes), env, protocol, folder=folder)


def codebook(behaviour: Behaviour, demos: Demonstrations) -> dict[str, dict[str, Any]]:
    """Use of the codebook by the segments that follow one another, and by those that begin at every step."""
    segments = behaviour.sampler(demos, 1, seed=0)
    every = torch.cat([behaviour.digits(segments.gather(rows)) for rows in torch.arange(len(segments)).split(1024)])
    ends = zip(demos.starts, demos.ends, strict=True)
    apart = torch.cat([torch.arange(int(start), int(end), behaviour.horizon) for start, end in ends])
    levels = behaviour.config.levels
    return {"in turn": use(every[apart], levels), "from every step": use(every, levels)}


def measure(out: Path, demos: int, seed: int, quick: bool) -> dict[str, Any]:
    """Every stage; what each came to."""
    trials = dict.fromkeys(TRIALS, 1) if quick else TRIALS
    segments, sequences, chunks = (
        replace(one, seed=seed, **({"steps": 60} if quick else {})) for one in (SEGMENTS, SEQUENCES, CHUNKS)
    )
    plan = {task: protocols(task, trials[task], FIRST_TRIAL)[0] for task in TRIALS}

    def judge(made: Path, task: str) -> dict[str, Any]:
        folder = out / f"eval-{made.name}-{task.partition('/')[2]}"
        fixed = {"protocol": task, "trials": trials[task], "first_trial": FIRST_TRIAL}
        return evaluation.run(
            evaluation.Config(made / "policy", folder, **fixed, eval=EvalConfig(videos=0, workers=WORKERS))
        )

    dataset = out / "dataset"
    recording = Recording(TRAINED, episodes=1 if quick else demos, seed=seed, workers=WORKERS)
    expert = collect.run(collect.Config(dataset, recording))
    for name, levels in LEVELS.items():
        train.run(train.Config("behaviour", dataset, out / name, BehaviourConfig(levels=levels), segments))
    books = {name: codebook(load_behaviour(out / name), load_demonstrations(dataset)) for name in LEVELS}
    chosen, made, flow = out / "small", out / "omnijarvis", out / "flow"
    train.run(train.Config("omnijarvis", dataset, made, OmniJarvisConfig(str(chosen / "policy")), sequences))
    train.run(train.Config("flow", dataset, flow, FLOW, chunks))
    held_out = {run.name: judge(run, HELD_OUT) for run in (made, flow)}
    shown = show(plan[TRAINED], out / "shown")
    follower = follow(load_behaviour(chosen), shown, plan[TRAINED], out / "eval-follower-chains").to_json()
    return {
        "expert": expert["success"],
        "codebook": books,
        "decoder, demonstrated codes": follower,
        "decoder, no code": judge(chosen, TRAINED),
        **{f"{name}, held-out pairs": one for name, one in held_out.items()},
        **{f"{run.name}, trained pairs": judge(run, TRAINED) for run in (made, flow)},
    }


def load_behaviour(run: Path) -> Behaviour:
    behaviour = load_policy(run / "policy")
    assert isinstance(behaviour, Behaviour)
    return behaviour


def main() -> None:
    """Measure, print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demos", type=int, default=60, help="of each pair")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/omnijarvis"))
    parser.add_argument("--quick", action="store_true", help="some minutes, no result")
    args = parser.parse_args()
    out = args.out / ("quick" if args.quick else f"{args.seed}")
    found = measure(out, args.demos, args.seed, args.quick)
    print("| codebook | segments | codes used | share | levels used | perplexity of each token |")
    print("|---|---|---|---|---|---|")
    for name, ways in found["codebook"].items():
        for way, one in ways.items():
            levels, perplexity = (" ".join(f"{x:.2g}" for x in one[part]) for part in ("levels", "perplexity"))
            row = f"| {name} {LEVELS[name]} | {one['segments']:,} {way} | {one['codes']:,} | {one['used']:.1%}"
            print(f"{row} | {levels} | {perplexity} |")
    print("| | success | interval |\n|---|---|---|")
    judged = {name: one for name, one in found.items() if name not in ("codebook", "expert")}
    for name, one in judged.items():
        print("| {} | {:.1%} | {:.0%} – {:.0%} |".format(name, one["success"], *one["interval"]))
    ours, peer = (judged[f"{name}, held-out pairs"]["success"] for name in ("omnijarvis", "flow"))
    row = {
        "name": "omnijarvis",
        "ours": ours,
        "peer": peer,
        "unit": "success",
        "ratio": round(ours / max(peer, 0.01), 3),
    }
    rates = {name: {part: one[part] for part in ("success", "interval", "episodes")} for name, one in judged.items()}
    print(json.dumps({**row, "expert": found["expert"], "codebook": found["codebook"], **rates}))


if __name__ == "__main__":
    main()
