"""Actions as tokens on LIBERO: three tokenizers, MINT's ablation, and a task shown once.

`uv run python benchmarks/tokens.py [--seeds 0] [--only ensembles …] [--out runs/tokens] [--quick]`. One policy for the
ten tasks of `libero/object`, 20 scripted demonstrations each, state observations; success over init states 30–49, which
are in no demonstration, 20 per task. In the last part the policy learns seven of the tasks; of the other three it is
shown one demonstration each, whose intents it follows, beside that demonstration replayed. Run it again to go on after
an interruption. The last line is JSON: `ours` is MINT's success, `peer` the same with the loss over time.

MINT's own ablation (arXiv 2602.08602, LIBERO-Long): loss over time 82.8, spectral 93.4; ensemble none 85.8, temporal
89.2, intent 93.2; scales (1) 42.8, (1, 4) 78.4, (1, 2, 4) 93.6.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from burnish import registry
from burnish.agent import Agent
from burnish.commands import collect, tokenize, train
from burnish.commands.collect import Recording
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, Episode, compute_stats, instructions
from burnish.datasets.store import load_demonstrations
from burnish.policies.base import load_policy, make_policy
from burnish.policies.mint import Mint, MintConfig
from burnish.policies.tokenizers.base import load_tokenizer
from burnish.policies.tokens import TokenConfig
from burnish.policies.train import TrainConfig
from burnish.policies.train import train as learn
from burnish.run import Run
from burnish.sim.agents import ReplayAgent
from burnish.sim.base import make_env
from burnish.sim.evaluate import evaluate
from burnish.sim.libero.suites import select
from burnish.sim.protocols import Protocol, protocols
from burnish.sim.records import Evaluation, wilson

SUITE, FIRST_TRIAL = "libero/object", 30
SHOWN = ("libero/object/7", "libero/object/8", "libero/object/9")
TOKENIZERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "mint": ("mint", {}),
    "mint, loss over time": ("mint", {"spectrum": "time"}),
    "mint, scales (1, 4)": ("mint", {"scales": (1, 4)}),
    "mint, scales (1)": ("mint", {"scales": (1,)}),
    "fast": ("fast", {}),
    "bins": ("bins", {"horizon": 16}),
}
ABLATION = ("mint", "mint, loss over time", "mint, scales (1, 4)", "mint, scales (1)")
ENSEMBLES = ("temporal", "none")


@dataclass(frozen=True)
class Budget:
    """How much of everything."""

    demonstrations: int
    trials: int
    tokenizer: TrainConfig
    policy: TrainConfig


FULL = Budget(20, 20, TrainConfig(steps=5_000), TrainConfig(steps=10_000, batch_size=64))
QUICK = Budget(1, 1, TrainConfig(steps=20, batch_size=16), TrainConfig(steps=20, batch_size=16))


def slug(name: str) -> str:
    """A folder's name."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def tokenizer(name: str, dataset: Path, seed: int, out: Path, budget: Budget) -> dict[str, Any]:
    """Learn one; its row of the first table."""
    kind, settings = TOKENIZERS[name]
    config = registry.tokenizers.load(kind).Config(**settings)
    folder, training = out / f"tokenizer-{slug(name)}", replace(budget.tokenizer, seed=seed)
    result = tokenize.run(tokenize.Config(kind, dataset, folder, config, training))
    return {"tokenizer": name, "seed": seed, **{key: result[key] for key in ("tokens", "error", "used", "clipped")}}


def ablation(dataset: Path, seed: int, out: Path, budget: Budget) -> list[dict[str, Any]]:
    """MINT's policies with each tokenizer."""
    (plan,) = protocols(SUITE, budget.trials, FIRST_TRIAL)
    rows = []
    for name in ABLATION:
        policy, folder = imitated(name, dataset, seed, out, budget)
        rows.append(row(name, seed, judge(policy.agent, plan, folder / "eval")))
    return rows


def ensembles(dataset: Path, seed: int, out: Path, budget: Budget) -> list[dict[str, Any]]:
    """MINT's policy with the ensembles that are not its own."""
    (plan,) = protocols(SUITE, budget.trials, FIRST_TRIAL)
    policy, folder = imitated("mint", dataset, seed, out, budget)
    rows = []
    for ensemble in ENSEMBLES:
        other = copy.copy(policy)
        other.config = replace(policy.config, ensemble=ensemble)
        rows.append(row(f"mint, ensemble {ensemble}", seed, judge(other.agent, plan, folder / f"eval-{ensemble}")))
    return rows


def imitated(name: str, dataset: Path, seed: int, out: Path, budget: Budget) -> tuple[Mint, Path]:
    """The policy that writes with one of the tokenizers, and its run."""
    tokenizer(name, dataset, seed, out, budget)
    folder = out / f"policy-{slug(name)}"
    config = MintConfig(tokenizer=str(out / f"tokenizer-{slug(name)}" / "policy"))
    train.run(train.Config("mint", dataset, folder, config, replace(budget.policy, seed=seed)))
    policy = load_policy(folder / "policy")
    assert isinstance(policy, Mint)
    return policy, folder


def tokenizers(dataset: Path, seed: int, out: Path, budget: Budget) -> list[dict[str, Any]]:
    """All of them, by themselves."""
    written = [tokenizer(name, dataset, seed, out, budget) for name in TOKENIZERS]
    for each in written:
        print("| {tokenizer} | {seed} | {tokens:.1f} | {error:.2%} | {used:.0%} |".format(**each))
    return written


def one_shot(dataset: Path, seed: int, out: Path, budget: Budget) -> list[dict[str, Any]]:
    """Tasks that are in none of the demonstrations: shown once, replayed, and with the policy's own intents."""
    demos = load_demonstrations(dataset)
    texts = instructions(demos)
    first = {task: texts.index(select(task.removeprefix("libero/"))[0].language) for task in SHOWN}
    hidden = {texts[number] for number in first.values()}
    known = [episode(demos, number) for number, text in enumerate(texts) if text not in hidden]
    policy = pretrained(Demonstrations.of(demos.contract, demos.task, known), seed, out, budget)
    found: dict[str, list[Evaluation]] = {"replayed": [], "own intents": [], "shown intents": []}
    for task in SHOWN:
        actions = torch.from_numpy(episode(demos, first[task]).action)
        (plan,) = protocols(task, budget.trials, FIRST_TRIAL)
        agents: dict[str, Callable[[int], Agent]] = {
            "replayed": lambda lanes, actions=actions: ReplayAgent(actions, lanes),
            "own intents": policy.agent,
            "shown intents": lambda lanes, actions=actions: policy.follower(actions, lanes),
        }
        for name, make in agents.items():
            found[name].append(judge(make, plan, out / "one-shot" / f"{slug(name)}-{slug(task)}"))
    return [row(f"one shot, {name}", seed, *each) for name, each in found.items()]


def pretrained(demos: Demonstrations, seed: int, out: Path, budget: Budget) -> Mint:
    """MINT on `demos`."""
    stats, folder, kind = compute_stats(demos), out / "one-shot", registry.tokenizers.load("mint")

    def fit(made: Any, name: str, training: TrainConfig) -> Path:
        run = Run(folder / name, "train", {})
        if run.result is None:
            sampler = ChunkSampler(demos, made.horizon, training.batch_size, seed=seed)
            run.finish(learn(run, made, sampler, replace(training, seed=seed)))
        return folder / name / "policy"

    torch.manual_seed(seed)
    written = load_tokenizer(fit(kind(kind.Config(), demos.contract, stats), "tokenizer", budget.tokenizer))
    config = MintConfig().with_part(written)
    fresh = make_policy("mint", demos.contract, stats, **fields(config))
    assert isinstance(fresh, Mint)
    fresh.adopt(written)
    policy = load_policy(fit(fresh, "policy", budget.policy))
    assert isinstance(policy, Mint)
    return policy


def fields(config: TokenConfig) -> dict[str, Any]:
    """Its settings by name."""
    return {name: getattr(config, name) for name in config.__dataclass_fields__}


def episode(demos: Demonstrations, number: int) -> Episode:
    """One of them by itself."""
    rows = slice(demos.starts[number], demos.ends[number])
    return Episode({key: values[rows] for key, values in demos.obs.items()}, demos.action[rows])


def judge(make: Callable[[int], Agent], plan: Protocol, folder: Path) -> Evaluation:
    """Play the episodes that are missing."""
    with make_env(plan.task, plan.lanes, workers=2, horizon=plan.horizon, settings=plan.settings) as env:
        return evaluate(make(plan.lanes), env, plan, folder=folder)


def row(name: str, seed: int, *played: Evaluation) -> dict[str, Any]:
    """One line of the second table."""
    episodes, successes = sum(one.episodes for one in played), sum(one.successes for one in played)
    found = {"policy": name, "seed": seed, "success": successes / episodes, "episodes": episodes}
    low, high = wilson(successes, episodes)
    print(f"| {name} | {seed} | {successes / episodes:.1%} ({low:.0%}–{high:.0%}) of {episodes} |", flush=True)
    return found


PARTS = {"tokenizers": tokenizers, "ensembles": ensembles, "ablation": ablation, "one-shot": one_shot}


def main() -> None:
    """Measure everything; a row of a table for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=Path("runs/tokens"))
    parser.add_argument("--only", choices=PARTS, default=list(PARTS), nargs="+", help="some of it")
    parser.add_argument("--quick", action="store_true", help="hardly trained: no result")
    args = parser.parse_args()
    out, budget = (args.out / "quick", QUICK) if args.quick else (args.out, FULL)
    dataset, found = out / "dataset", []
    collect.run(collect.Config(dataset, collect=Recording(SUITE, episodes=budget.demonstrations)))
    for seed in args.seeds:
        folder = out / f"seed-{seed}"
        found += [row for part in args.only for row in PARTS[part](dataset, seed, folder, budget)]
    if "ablation" not in args.only:
        return
    mean = {
        name: float(np.mean([each["success"] for each in found if each.get("policy") == name])) for name in ABLATION
    }
    ours, peer = mean["mint"], mean["mint, loss over time"]
    line = {"name": "tokens", "ours": ours, "peer": peer, "unit": "success", "ratio": round(ours / max(peer, 0.01), 3)}
    print(json.dumps({**line, "rows": found}))


if __name__ == "__main__":
    main()
