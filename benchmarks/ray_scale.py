"""Rollout throughput on a Ray cluster of two nodes of one worker each, beside one of them alone.

`uv run python benchmarks/ray_scale.py [--task metaworld/peg-insert-side] [--lanes 20] [--seconds 10] [--rounds 3]`.

Both nodes are on this machine, with one CPU each. A flow policy with a residual plays all the time and what it plays is
received as residual RL receives it; nothing is learned meanwhile. Rounds alternate. Then a worker's loop and the
learner's alone, in CPU seconds, and the table of `docs/scale.md` that follows. The last line is JSON: `ours` and `peer`
in environment steps/s, bar: a ratio of 1.6; and the figures of the table.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # workers run in this environment as it is
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # all addresses are 127.0.0.1

import argparse
import json
import statistics
import time
from pathlib import Path

import ray
import torch
from ray.cluster_utils import Cluster
from rollout import policy as base_policy

from burnish.policies.residual import ResidualPolicy
from burnish.rl_finetune.arena import Exploration, LocalArena
from burnish.rl_finetune.buffer import Replay
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.critics import Learner, LearnerConfig
from burnish.rl_finetune.fleet.arena import RayArena
from burnish.rl_finetune.fleet.cluster import FleetConfig
from burnish.sim.base import make_env

NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 200_000_000}
EXPLORATION = Exploration(warmup_scale=0.4, noise=0.3, memory=0.5, n_step=5, gamma=0.99)


class Side:
    """`workers` of them, playing."""

    def __init__(self, workers: int, pair: ResidualPolicy, task: str, lanes: int, horizon: int) -> None:
        self.arena = RayArena(task, lanes, True, horizon, FleetConfig(workers=workers))
        self.pair, self.workers = pair, workers

    def measure(self, seconds: float) -> tuple[float, float, int]:
        """Environment steps per second, CPU seconds of this process per piece of work, bytes of a step."""
        collector = self.arena.collector(self.pair, EXPLORATION, torch.Generator().manual_seed(0), Clock(), Path())
        collector.begin(1)
        while self.arena.fleet is not None and len(self.arena.fleet.idle()) < self.workers:
            self.arena.fleet.wait()
        for _ in range(4 * self.workers):  # warm up
            collector.collect(self.pair.actor, 0, warm_up=False)
        begin, cpu, steps, pieces, size = time.perf_counter(), time.process_time(), 0, 0, 0
        while time.perf_counter() - begin < seconds:
            played = collector.collect(self.pair.actor, pieces, warm_up=False)
            steps, pieces = steps + played.env_steps, pieces + 1
            size = sum(part.nbytes for part in played.transitions or ()) // max(played.env_steps, 1)
        took, cpu = time.perf_counter() - begin, time.process_time() - cpu
        self.arena.close()
        return steps / took, cpu / pieces, size


def worker_alone(pair: ResidualPolicy, task: str, lanes: int, calls: int = 200) -> float:
    """Environment steps per CPU second of one worker's loop, in this process."""
    with make_env(task, lanes, auto_reset=True) as env:
        generator = torch.Generator().manual_seed(0)
        rollout = LocalArena(env).collector(pair, EXPLORATION, generator, Clock(), Path())
        rollout.begin(1)
        begin = time.process_time()
        for _ in range(calls):
            rollout.collect(pair.actor, 0, warm_up=False)
        return calls * lanes / (time.process_time() - begin)


def learner_alone(pair: ResidualPolicy, updates: int = 300) -> float:
    """Updates of residual RL per CPU second at its defaults: the critics, and every second time the actor."""
    generator = torch.Generator().manual_seed(0)
    learner = Learner(pair.network, pair.actor.detach().clone(), pair.reach, LearnerConfig(), generator)
    action = pair.network.outputs
    replay = Replay(10_000, pair.network.inputs - action, action)
    replay.rows.normal_(generator=generator)
    replay.added = len(replay.rows)
    begin = time.process_time()
    for count in range(updates):
        batch = replay.unpack(replay.sample(256, generator))
        learner.update_critic(batch)
        if count % 2:
            learner.update_actor(batch, torch.zeros(256))
    return updates / (time.process_time() - begin)


def plan(steps_s: float, updates_s: float, receive_s: float, facts: dict[str, float]) -> None:
    """What passes through the learner with 1 to 1,000 workers of `steps_s` each, and what is the first to be full.

    A piece of work is three messages: the weights, the order, what was played.
    """
    print("| workers | env steps/s | messages/s | in, MB/s | out, MB/s | receiving, cores | updates per step |")
    print("|---|---|---|---|---|---|---|")
    for workers in (1, 2, 10, 100, 1_000):
        steps = workers * steps_s
        pieces = steps / facts["steps_per_piece"]
        cells = [steps, 3 * pieces, steps * facts["bytes_per_step"] / 1e6, pieces * facts["weight_bytes"] / 1e6]
        cells += [pieces * receive_s, min(1.0, updates_s / steps)]
        print(f"| {workers:,} | " + " | ".join(f"{x:,.0f}" if x >= 100 else f"{x:.2g}" for x in cells) + " |")


def main() -> None:
    """Measure both in turn, then the learner."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="metaworld/peg-insert-side")
    parser.add_argument("--lanes", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with make_env(args.task, 1) as env:
        pair = ResidualPolicy.around(base_policy(env.contract), hidden=128, action_scale=0.5)
        horizon = env.max_episode_steps
    cluster = Cluster(initialize_head=True, head_node_args=NODE | {"include_dashboard": False})
    cluster.add_node(**NODE)
    ray.init(cluster.address, log_to_driver=False)
    sides = [Side(count, pair, args.task, args.lanes, horizon) for count in (2, 1)]
    found = [[side.measure(args.seconds) for side in sides] for _ in range(args.rounds)]
    ray.shutdown()
    cluster.shutdown()
    ours, peer = (statistics.median(turn[side][0] for turn in found) for side in (0, 1))
    receive_s = statistics.median(turn[0][1] for turn in found)
    facts: dict[str, float] = {
        "bytes_per_step": found[0][0][2],
        "weight_bytes": pair.actor.nbytes,
        "steps_per_piece": args.lanes * FleetConfig().steps,
    }
    alone, updates = worker_alone(pair, args.task, args.lanes), learner_alone(pair)
    plan(alone, updates, receive_s, facts)
    facts |= {"steps_per_cpu_s": round(alone), "updates_per_cpu_s": round(updates)}
    facts |= {"receive_cpu_ms": round(1e3 * receive_s, 2)}
    line = {"name": "ray_scale", "ours": round(ours), "peer": round(peer), "unit": "steps/s"}
    print(json.dumps({**line, "ratio": round(ours / peer, 3), **facts}))


if __name__ == "__main__":
    main()
