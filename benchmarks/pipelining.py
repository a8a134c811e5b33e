"""Pipelined rollouts: one half of the lanes steps while the policy plans for the other, beside lock-step.

`uv run python benchmarks/pipelining.py [--task franka/lift] [--lanes 128] [--rounds 5] [--quick]`. The simulator has
one core, and the policy one thread on the other, as where one of them has a GPU. The policy is a flow policy (a
transformer, whose time grows with its batch) of as many steps as take as long as the simulator does (measured first,
printed as `balance`: 1 where both take the same time). Both ways play the same whole episodes in turn. `shared` is what
lock-step makes where each of the two is given both cores in its turn. The last line is JSON: `ours` and `peer` in
environment steps/s; bar: a ratio of 1.6.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

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
    shape = {"denoiser": "dit", "width": 64, "horizon": 8, "replan": REPLAN}
    return make_policy("flow", contract, stats, steps=steps, **shape).eval()


@dataclass
class Way:
    """An environment of its own, and how it is played."""

    env: VecEnv
    pipelined: bool
    threads: int = 1

    def rate(self, steps: int, episodes: int) -> tuple[float, dict[str, float]]:
        """Environment steps per second of whole episodes, and the seconds in environment and inference."""
        torch.set_num_threads(self.threads)
        clock, chain = Clock(), policy(self.env.contract, steps).chain(NoiseConfig())
        player = Player(chain, self.env, clock, pipelined=self.pipelined)
        begin = time.perf_counter()
        player.play([Start(1 + number, number) for number in range(episodes)])
        return player.env_steps / (time.perf_counter() - begin), clock.seconds


def balanced(way: Way, episodes: int) -> int:
    """Flow steps that take as long as the simulator."""
    way.rate(1, episodes)  # to warm up
    shares = {steps: way.rate(steps, episodes)[1] for steps in (2, 6)}
    few, many = shares[2]["inference"], shares[6]["inference"]
    each = (many - few) / 4
    return max(1, round((statistics.mean(one["environment"] for one in shares.values()) - few) / each) + 2)


def main() -> None:
    """Measure in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="franka/lift")
    parser.add_argument("--lanes", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--horizon", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="a check that it runs")
    args = parser.parse_args()
    rounds, lanes = (1, 4) if args.quick else (args.rounds, args.lanes)
    found: dict[str, list[float]] = {"pipelined": [], "lock-step": [], "shared": [], "balance": []}
    with ExitStack() as stack:

        def made(pipelined: bool, cores: int = 1) -> Way:
            env = stack.enter_context(make_env(args.task, lanes, workers=cores, horizon=args.horizon))
            return Way(env, pipelined, cores)

        ways = {"pipelined": made(True), "lock-step": made(False), "shared": made(False, cores=2)}
        steps = balanced(ways["lock-step"], lanes)
        for _ in range(rounds):
            for name, way in ways.items():
                played, seconds = way.rate(steps, 2 * lanes)
                found[name].append(played)
                if name == "lock-step":
                    found["balance"].append(seconds["inference"] / seconds["environment"])
    ratio = statistics.median(a / b for a, b in zip(found["pipelined"], found["lock-step"], strict=True))
    ours, peer, shared, balance = (statistics.median(values) for values in found.values())
    print(f"{args.task}, {lanes} lanes, one core for the simulator, one for a flow policy of {steps} steps")
    print(f"  pipelined {ours:,.0f} steps/s, lock-step {peer:,.0f} steps/s; both cores for each in turn {shared:,.0f}")
    row = {"name": "pipelining", "ours": round(ours), "peer": round(peer), "unit": "steps/s", "ratio": round(ratio, 2)}
    print(json.dumps(row | {"balance": round(balance, 2), "shared": round(shared), "flow_steps": steps}))


if __name__ == "__main__":
    main()
