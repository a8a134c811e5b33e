"""Milliseconds from one observation to one action chunk on a CPU: MeanFlow against lerobot's `DiffusionPolicy`.

`uv run python benchmarks/latency.py [--quick]`. lerobot denoises with DDIM in 10 steps. Batch 1, one thread, both in
torch, UNets of the same size; runs alternate and medians are compared. lerobot's normalisation, a separate pipeline
there, is left out of its time; ours is in. The exported policy (ONNX Runtime) is printed beside it. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lerobot_peer
import numpy as np
import torch

from burnish.exported import ExportedPolicy
from burnish.policies.export import ExportConfig, export


def measure(call: Callable[[], object], calls: int) -> list[float]:
    times = []
    for _ in range(calls):
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1e3)
    return times


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer calls")
    rounds = 5 if parser.parse_args().quick else 20
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours = lerobot_peer.our_policy("meanflow", lerobot_peer.demonstrations()).eval()
    peer = lerobot_peer.lerobot_policy(lerobot_peer.count(ours)).eval()
    peer.reset()
    obs = {key: torch.zeros(1, *field.shape) for key, field in ours.contract.observation.items()}
    noise = torch.randn(1, *ours.noise_shape)
    with tempfile.TemporaryDirectory() as folder:
        export(ours, Path(folder), ExportConfig(calls=2))
        exported = ExportedPolicy(Path(folder))
    arrays = {key: value.numpy() for key, value in obs.items()}
    calls: dict[str, Callable[[], object]] = {
        "ours": lambda: ours.act(obs, noise),
        "peer": lambda: peer.select_action(dict(obs)),
        "ours_onnx": lambda: exported.act(arrays, noise.numpy()),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        measure(call, 10)
    for _ in range(rounds):
        for name, call in calls.items():
            times[name] += measure(call, 20)
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:10} p50 {median[name]:.3f} ms   p99 {np.percentile(values, 99):.3f} ms")
    result = {"name": "latency", **median, "unit": "ms", "ratio": median["peer"] / median["ours"]}
    result["ratio_onnx"] = median["peer"] / median["ours_onnx"]
    print(json.dumps({key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
