"""Real-time chunking against chunks drawn apart: the jump where the next chunk takes over, and milliseconds per plan.

`uv run python benchmarks/realtime.py [--quick]`. Small policies learn to pass an obstacle on either of two sides
(`two_ways.py`). Half-way, while three actions of the last chunk are executed, the next one is planned: independently,
or around them. Batch 1, one thread. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
import two_ways
from two_ways import HORIZON, STATE

from burnish.exported import ExportedPolicy
from burnish.policies.base import Policy
from burnish.policies.export import ExportConfig, export
from burnish.policies.realtime import Guided, RealTime, RealTimeConfig
from burnish.policies.timing import time_calls

POLICIES: dict[str, tuple[str, dict[str, Any]]] = {
    "flow": ("flow", {"steps": 10}),
    "diffusion": ("diffusion", {"steps": 10, "prediction": "sample"}),
    "diffusion_epsilon": ("diffusion", {"steps": 10}),
    "meanflow": ("meanflow", {}),
}


def jumps(planner: RealTime) -> dict[str, float]:
    """Mean and 95th percentile of the jumps, m, and the share of changed sides."""
    found = {}
    for name, value in two_ways.splice(planner).items():
        if value.dtype is torch.bool:
            found[name] = float(value.float().mean())
        else:
            found |= {f"{name}_mean_m": float(value.mean()), f"{name}_p95_m": float(value.quantile(0.95))}
    return found


def latencies(policy: Policy, calls: int) -> dict[str, float]:
    """Medians, ms, of a plan for one robot; of five rounds in turn the least disturbed."""
    with tempfile.TemporaryDirectory() as folder:
        export(policy, Path(folder), ExportConfig(calls=2, realtime=True))
        exported = ExportedPolicy(Path(folder))
    planner, obs = policy.realtime(RealTimeConfig()), {STATE: torch.zeros(1, 2)}
    arrays, previous = {STATE: obs[STATE].numpy()}, torch.zeros(1, HORIZON - 4, 2)
    alone, guided = torch.zeros(1, *policy.noise_shape), torch.zeros(1, *planner.noise_shape)
    plans = {
        "apart_ms": lambda: policy.act(obs, alone),
        "realtime_ms": lambda: planner.plan(obs, guided, previous, 3),
        "apart_onnx_ms": lambda: exported.act(arrays, alone.numpy()),
        "realtime_onnx_ms": lambda: exported.act_realtime(arrays, guided.numpy(), previous.numpy(), 3),
    }
    with torch.no_grad():
        rounds = [{name: time_calls(plan, calls)["p50_ms"] for name, plan in plans.items()} for _ in range(5)]
    return {name: min(each[name] for each in rounds) for name in plans}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less training, fewer calls")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    result: dict[str, Any] = {"name": "realtime"}
    for label, (name, config) in POLICIES.items():
        policy = two_ways.trained(name, 400 if quick else 1500, **config)
        result[label] = {**jumps(policy.realtime(RealTimeConfig())), **latencies(policy, 10 if quick else 50)}
        if name == "meanflow":  # what its planner does instead of this
            result["meanflow_guided"] = jumps(Guided(policy, policy, RealTimeConfig()))
    for label in [*POLICIES, "meanflow_guided"]:
        for key, value in result[label].items():
            print(f"{label:18} {key:20} {value:.3f}")
    print(json.dumps(result, default=float))


if __name__ == "__main__":
    main()
