"""Environment steps per second of the rollout engine, beside the same workers stepping without a policy.

`uv run python benchmarks/rollout.py [--task metaworld/peg-insert-side] [--lanes 40] [--workers 2] [--rounds 5]
[--pipelined]`. A flow policy of the size that `refinement.py` has (four steps, eight actions, four of them executed)
plays whole episodes and keeps its traces; the peer is `env.step` on random actions in all lanes, with as many steps and
resets. Rounds alternate, and each is compared with its neighbour. The last line is JSON: `ours` and `peer` in steps/s;
bar: a ratio of 0.85.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

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
from burnish.sim.base import make_env

STEPS = 1000
"""Of every lane: two episodes, as long as the policy plays."""


def policy(contract: Contract) -> Policy:
    """Of the size that `refinement.py` refines, with random weights."""
    numbers = {"mean": 0.0, "std": 1.0, "min": -1.0, "max": 1.0}
    stats = {
        key: {name: np.full(contract.fields[key].shape, value, np.float32) for name, value in numbers.items()}
        | {"covariance": np.eye(contract.fields[key].shape[-1], dtype=np.float32)}
        for key in (*contract.observation, ACTION)
    }
    return make_policy("flow", contract, stats, horizon=8, replan=4, steps=4, width=32).eval()


def main() -> None:
    """Measure both in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="metaworld/peg-insert-side")
    parser.add_argument("--lanes", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pipelined", action="store_true", help="plan for one half of the lanes while the other steps")
    args = parser.parse_args()
    ours, peer, clock = [], [], Clock()
    with make_env(args.task, args.lanes, workers=args.workers) as env:
        player = Player(policy(env.contract).chain(NoiseConfig()), env, clock, pipelined=args.pipelined or None)
        low, high = torch.tensor(env.contract.action.low), torch.tensor(env.contract.action.high)
        for turn in range(args.rounds + 1):
            begin, before = time.perf_counter(), player.env_steps
            player.play([Start(1 + i, i) for i in range(2 * args.lanes)])
            played = (player.env_steps - before) / (time.perf_counter() - begin)
            seeds = list(range(1, args.lanes + 1))
            begin, taken = time.perf_counter(), 0
            for step in range(STEPS):
                if step % env.max_episode_steps == 0:
                    env.reset(seeds)
                env.step(low + (high - low) * torch.rand(args.lanes, len(low)))
                taken += args.lanes
            if turn:  # the first round warms both up
                ours.append(played)
                peer.append(taken / (time.perf_counter() - begin))
    rate, bare = statistics.median(ours), statistics.median(peer)
    ratio = statistics.median(a / b for a, b in zip(ours, peer, strict=True))
    line = {"name": "rollout", "ours": round(rate), "peer": round(bare), "unit": "steps/s"}
    print(json.dumps({**line, "ratio": round(ratio, 3), **clock.shares()}))


if __name__ == "__main__":
    main()
