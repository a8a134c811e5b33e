"""Pipelined rollouts: one half of the lanes steps while the policy plans for the other, beside lock-step.

`uv run python benchmarks/pipelining.py [--task franka/lift] [--lanes 64] [--rounds 5] [--quick]`. The simulator has one
core, and the policy one thread on the other. The policy is a flow policy of as many steps as take as long as the
simulator does (measured first, printed as `balance`: 1 where both take the same time). Both ways play the same whole
episodes in turn. The last line is JSON: `ours` and `peer` in environment steps/s; bar: a ratio of 1.6.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import statistics
import time

import numpy as np
import torch

from burnish.contract import ACTION, Contract
from burnish.policies.base import Policy, make_policy
from burnish.policies.trace import NoiseConfig
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.episodes import Player, Start
from burnish.sim.base import VecEnv, make_env

REPLAN = 4


def policy(contract: Contract, steps: int) -> Policy:
    """A flow policy of `steps` network evaluations, with random weights."""
    numbers = {"mean": 0.0, "std": 1.0, "min": -1.0, "max": 1.0}
    stats = {
        key: {name: np.full(contract.fields[key].shape, value, np.float32) for name, value in numbers.items()}
        | {"covariance": np.eye(contract.fields[key].shape[-1], dtype=np.float32)}
        for key in (*contract.observation, ACTION)
    }
    return make_policy("flow", contract, stats, horizon=8, replan=REPLAN, steps=steps, width=64).eval()


def rate(env: VecEnv, steps: int, halves: int, episodes: int) -> tuple[float, dict[str, float]]:
    """Environment steps per second of whole episodes, and the seconds in environment and inference."""
    clock = Clock()
    player = Player(policy(env.contract, steps).chain(NoiseConfig()), env, clock)
    player.halves = halves
    begin = time.perf_counter()
    player.play([Start(1 + number, number) for number in range(episodes)])
    return player.env_steps / (time.perf_counter() - begin), clock.seconds


def balanced(env: VecEnv, episodes: int) -> int:
    """Flow steps that take as long as the simulator."""
    rate(env, 1, 1, episodes)  # to warm up
    shares = {steps: rate(env, steps, 1, episodes)[1] for steps in (2, 10)}
    few, many = shares[2]["inference"], shares[10]["inference"]
    each = (many - few) / 8
    return max(1, round((statistics.mean(one["environment"] for one in shares.values()) - few) / each) + 2)


def main() -> None:
    """Measure both in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="franka/lift")
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--horizon", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="a check that it runs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rounds, lanes = (1, 4) if args.quick else (args.rounds, args.lanes)
    ours, peer, balance = [], [], []
    with make_env(args.task, lanes, workers=1, horizon=args.horizon) as env:
        steps = balanced(env, lanes)
        for _ in range(rounds):
            alone, seconds = rate(env, steps, 1, 2 * lanes)
            peer.append(alone)
            balance.append(seconds["inference"] / seconds["environment"])
            ours.append(rate(env, steps, 2, 2 * lanes)[0])
    ratio = statistics.median(a / b for a, b in zip(ours, peer, strict=True))
    print(f"{args.task}, {lanes} lanes, one core for the simulator, one for a flow policy of {steps} steps")
    print(f"  pipelined {statistics.median(ours):,.0f} steps/s, lock-step {statistics.median(peer):,.0f} steps/s")
    row = {"name": "pipelining", "ours": round(statistics.median(ours)), "peer": round(statistics.median(peer))}
    row |= {"unit": "steps/s", "ratio": round(ratio, 2), "balance": round(statistics.median(balance), 2)}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
