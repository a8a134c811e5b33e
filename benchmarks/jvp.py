"""MeanFlow's derivative du/dt: forward mode where it counts against double backward, time and memory.

`uv run python benchmarks/jvp.py [--batch 256] [--threads 2]`. One training step (loss and gradients) of every denoiser,
in a process of its own for each side, so that its peak memory is its own; runs alternate, medians are compared. Both
sides must give the same loss. The last line is JSON: `ours` and `peer` are milliseconds per step, the worst denoiser's;
`memory` the ratio of what a step adds to the process's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import torch
from torch import Tensor

from burnish.contract import ACTION, STATE, Contract, Field
from burnish.policies.base import make_policy
from burnish.policies.meanflow import MeanFlow

SIDES = ("forward", "double")
SIZES: dict[str, dict[str, Any]] = {
    "mlp": {"width": 64, "depth": 1},
    "unet": {"width": 64, "depth": 2},
    "dit": {"width": 64, "depth": 2},
}
HORIZON, STATES, ACTIONS, STEPS, ROUNDS = 16, 39, 7, 10, 3


class DoubleBackward(MeanFlow):
    """The derivative as the gradient of a gradient, for the whole batch, with a tape: MP1's own way."""

    def target(self, z: Tensor, t: Tensor, r: Tensor, v: Tensor, condition: Tensor) -> Tensor:
        def network(z: Tensor, t: Tensor, r: Tensor) -> Tensor:
            return self.velocity(z, t, r, condition)[0]

        tangents = (v, torch.ones_like(t), torch.zeros_like(r))
        du_dt = torch.autograd.functional.jvp(network, (z, t, r), tangents, create_graph=True)[1]
        return (v - (t - r)[:, None, None] * du_dt).detach()


def contract() -> Contract:
    """Of a state of 39 numbers and an action of seven."""
    state = Field((STATES,), tuple(f"s{i}" for i in range(STATES)), ("1",) * STATES, "world", 20.0, "identity")
    action = Field((ACTIONS,), tuple(f"a{i}" for i in range(ACTIONS)), ("1",) * ACTIONS, "world", 20.0, "identity")
    return Contract({STATE: state}, action)


def side(name: str, denoiser: str, batch: int, threads: int) -> dict[str, float]:
    """Milliseconds per step, what a step adds to peak memory (MiB), and the first loss."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    made = make_policy(
        "meanflow", contract(), {STATE: {}, ACTION: {}}, horizon=HORIZON, denoiser=denoiser, **SIZES[denoiser]
    )
    if name == "double":
        made.__class__ = DoubleBackward
    data = {STATE: torch.randn(batch, STATES), ACTION: torch.randn(batch, HORIZON, ACTIONS)}

    def step(rows: int = batch) -> float:
        loss, _ = made.loss({key: value[:rows] for key, value in data.items()}, torch.Generator().manual_seed(1))
        made.zero_grad()
        loss.backward()
        return float(loss.detach())

    step(8)  # what is imported and compiled once is no cost of a step
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = step()
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    begin = time.perf_counter()
    for _ in range(STEPS):
        step()
    return {"ms": (time.perf_counter() - begin) / STEPS * 1e3, "mib": added / 1024, "loss": first}


def measure(denoiser: str, batch: int, threads: int) -> dict[str, Any]:
    """Both sides in turn, each time in a new process."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for _ in range(ROUNDS):
        for name in SIDES:
            words = [sys.executable, __file__, "--side", name, "--denoiser", denoiser]
            words += ["--batch", str(batch), "--threads", str(threads)]
            found[name].append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
    row: dict[str, Any] = {"denoiser": denoiser}
    for name, runs in found.items():
        row[name] = {key: statistics.median(run[key] for run in runs) for key in ("ms", "mib", "loss")}
    ours, peer = row["forward"], row["double"]
    assert abs(ours["loss"] - peer["loss"]) < 1e-4 * abs(peer["loss"]), (ours, peer)
    print(
        f"{denoiser:5} forward mode {ours['ms']:7.1f} ms {ours['mib']:6.0f} MiB, double backward {peer['ms']:7.1f} ms "
        f"{peer['mib']:6.0f} MiB: {peer['ms'] / ours['ms']:.2f} x faster, {peer['mib'] / ours['mib']:.2f} x less memory"
    )
    return row


def main() -> None:
    """Every denoiser, or one side of one, as a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--denoiser", choices=SIZES)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(side(args.side, args.denoiser, args.batch, args.threads)))
        return
    rows = [measure(name, args.batch, args.threads) for name in ([args.denoiser] if args.denoiser else SIZES)]
    worst = min(rows, key=lambda row: row["double"]["ms"] / row["forward"]["ms"])
    line = {"name": "jvp", "ours": worst["forward"]["ms"], "peer": worst["double"]["ms"], "unit": "ms"}
    memory = min(row["double"]["mib"] / max(row["forward"]["mib"], 1e-9) for row in rows)
    print(json.dumps(line | {"ratio": round(line["peer"] / line["ours"], 2), "memory": round(memory, 2), "rows": rows}))


if __name__ == "__main__":
    main()
