"""A simulated Franka through the whole stack: punctuality of the 1 kHz loop, and chunks under planning latency.

`uv run python benchmarks/real.py [--seconds 20] [--only loop chunks] [--impedance joint] [--quick]`. `loop`: the arm
sways for `--seconds` under a plan that costs nothing; the robot counts the cycles that were answered in time, the
control process what each cost. `chunks`: a flow policy (10 steps, 20 actions a second, chunks of 16) that learned to
lead the arm around a loop plays it with planning latencies of 0, 100 and 200 ms in each mode: RMS jerk of the set
points, as a ratio to the same mode without latency, share of the time in which the arm stood, and how far it was from
the loop. Everything else the machine does is measured too: no real-time kernel, so keep it quiet. The last line is
JSON: `ours` is the 99th percentile of a cycle's cost in µs, `peer` the bar of 150.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from burnish.contract import ACTION, STATE, Contract
from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations, Episode, compute_stats
from burnish.fr3 import DOWN, contract
from burnish.policies.base import Policy, make_policy
from burnish.policies.realtime import RealTimeConfig
from burnish.policies.train import TrainConfig, train
from burnish.real.control import Settings
from burnish.real.journal import read_cycles
from burnish.real.player import PlayerConfig
from burnish.real.session import Session, mailbox_path
from burnish.real.simulated import SimulatedProcess
from burnish.run import Run

RATE_HZ, HORIZON, EXECUTE = 20.0, 16, 8
BAR_US = 150.0
LOOP_RAD, TURN_S = 0.25, 4.0
"""How wide the loop of joints 1 and 4 is, and how long once around takes."""
HOME = np.array(DOWN)
LATENCIES_S = (0.0, 0.1, 0.2)
ADDRESS = "127.0.88.1"


def loop(q: np.ndarray, count: int) -> np.ndarray:
    """(count, 8) actions that lead joints `q` (7,) rad onto the loop and around it."""
    away = q - HOME
    phase = np.arctan2(away[3], away[0]) if np.abs(away[[0, 3]]).max() > 0.02 else 0.0
    ahead = np.arange(1, count + 1)
    turned = phase + 2 * np.pi * ahead / (TURN_S * RATE_HZ)
    path = np.tile(HOME, (count, 1))
    path[:, 0] += LOOP_RAD * np.cos(turned)
    path[:, 3] += LOOP_RAD * np.sin(turned)
    nearer = np.minimum(1.0, ahead / 10)[:, None]
    return np.hstack([q + nearer * (path - q), np.full((count, 1), 0.06)])


class Scripted:
    """Plans at no cost."""

    contract, realtime = None, False

    def plan(self, obs: Mapping[str, np.ndarray], previous: Any = None, frozen: int = 0) -> np.ndarray:
        return loop(obs[STATE][:7].astype(float), HORIZON)

    def renew(self) -> None:
        """Always ready."""


class Delayed:
    """A policy whose plans take `latency_s`, or as long as they do if that is longer."""

    contract, realtime = None, True

    def __init__(self, policy: Policy, latency_s: float) -> None:
        self._policy, self._planner, self._latency_s = policy, policy.realtime(RealTimeConfig()), latency_s
        self._noise = torch.Generator().manual_seed(0)
        self.took: list[float] = []

    @torch.no_grad()
    def plan(self, obs: Mapping[str, np.ndarray], previous: Any = None, frozen: int = 0) -> np.ndarray:
        begin = time.monotonic()
        seen = {STATE: torch.from_numpy(np.float32(obs[STATE]))[None]}
        if previous is None:
            noise = torch.randn(1, *self._policy.noise_shape, generator=self._noise)
            chunk = self._policy.act(seen, noise)
        else:
            noise = torch.randn(1, *self._planner.noise_shape, generator=self._noise)
            chunk = self._planner.plan(seen, noise, torch.from_numpy(np.float32(previous))[None], frozen)
        self.took.append(time.monotonic() - begin)
        time.sleep(max(0.0, self._latency_s - self.took[-1]))
        return chunk[0].numpy()

    def renew(self) -> None:
        """Always ready."""


def learned(out: Path, steps: int) -> Policy:
    """A flow policy that leads the arm around the loop from wherever it is near it."""
    whole, rng, episodes = contract(), np.random.default_rng(0), []
    for _ in range(60):
        phase, q = rng.uniform(0, 2 * np.pi), HOME + rng.normal(0, 0.03, 7)
        q[[0, 3]] += LOOP_RAD * np.array([np.cos(phase), np.sin(phase)])
        actions = loop(q, 60)
        before = np.vstack([q, actions[:-1, :7]]) + rng.normal(0, 0.01, (60, 7))
        states = np.hstack([before, rng.uniform(-1, 1, (60, 7)), np.full((60, 1), 0.06)])
        episodes.append(Episode({STATE: np.float32(states)}, np.float32(actions)))
    slow = {key: replace(field, rate_hz=RATE_HZ) for key, field in whole.fields.items()}
    demos = Demonstrations.of(Contract({STATE: slow[STATE]}, slow[ACTION]), "franka/loop", episodes)
    torch.manual_seed(0)
    policy = make_policy(
        "flow", demos.contract, compute_stats(demos), horizon=HORIZON, replan=EXECUTE, width=64, depth=2
    )
    train(Run(out / "train", "train", {}), policy, ChunkSampler(demos, HORIZON, 64, seed=0), TrainConfig(steps=steps))
    return policy.eval()


@contextmanager
def session(robot: SimulatedProcess, plans: Any, mode: Any, out: Path, impedance: str = "joint") -> Any:
    box, config = mailbox_path(), {"address": robot.address, "impedance": impedance}
    told = Settings("franka", config, RATE_HZ, EXECUTE, str(box), PlayerConfig(mode))
    start = HOME.copy()
    start[0] += LOOP_RAD
    robot.ask("place", joints=start.tolist())
    try:
        with Session(told, plans, out) as running:
            yield running
    finally:
        box.unlink(missing_ok=True)


def measure_loop(out: Path, seconds: float, impedance: str) -> dict[str, float]:
    """Punctuality and cost of the 1 kHz loop, on a robot whose clock waits for nobody."""
    with (
        SimulatedProcess("franka", ["--address", ADDRESS, "--patience-s", "0"]) as robot,
        session(robot, Scripted(), "ensemble", out / "loop", impedance) as running,
    ):
        running.run(1.0)
        before = robot.ask("report")
        running.play()
        running.run(seconds)
        after = robot.ask("report")
    cycles, lost = (after[name] - before[name] for name in ("cycles", "lost"))
    names, rows = read_cycles(out / "loop")
    answer, cost = (
        rows[rows[:, names.index("phase")] == 2, names.index(f"{part}_us")] for part in ("answer", "compute")
    )
    found = {
        "cycles": cycles,
        "answered": 1 - lost / cycles,
        "answer_p50_us": float(np.percentile(answer, 50)),
        "answer_p99_us": float(np.percentile(answer, 99)),
        "p50_us": float(np.percentile(cost, 50)),
        "p99_us": float(np.percentile(cost, 99)),
        "rate_hz": cycles / seconds,
        "violations": sum(after["violations"].values()),
    }
    found |= {f"plan_p{share}_ms": value for share, value in latencies(names, rows).items()}
    return found


def latencies(names: list[str], rows: np.ndarray) -> dict[int, float]:
    """ms from the observation that a plan was made from to the first set point that the plan changed."""
    asked, clock = rows[:, names.index("asked")], rows[:, names.index("clock_s")]
    begun = np.flatnonzero((asked[1:] >= 0) & (asked[:-1] < 0)) + 1
    ended = np.flatnonzero((asked[1:] < 0) & (asked[:-1] >= 0)) + 1
    ended = ended[ended > begun[0]]
    spans = (clock[ended] - clock[begun[: len(ended)]]) * 1e3
    return {share: float(np.percentile(spans, share)) for share in (50, 99)}


def measure_chunks(out: Path, seconds: float, policy: Policy) -> list[dict[str, Any]]:
    """Every mode at every latency."""
    found = []
    with SimulatedProcess("franka", ["--address", ADDRESS]) as robot:
        for mode in ("synchronous", "ensemble", "realtime"):
            for latency_s in LATENCIES_S:
                folder = out / f"{mode}-{latency_s * 1e3:.0f}"
                plans = Delayed(policy, latency_s)
                with session(robot, plans, mode, folder) as running:
                    running.play()
                    running.run(seconds)
                    assert running.row.phase == "playing", running.summary()
                row = {"mode": mode, "latency_ms": latency_s * 1e3} | smoothness(*read_cycles(folder))
                row["plan_ms"] = float(np.median(plans.took)) * 1e3
                first = next((one for one in found if one["mode"] == mode), row)
                row["jerk_ratio"] = row["jerk"] / first["jerk"]
                found.append(row)
                print(
                    f"| {mode} | {row['latency_ms']:.0f} | {row['jerk']:.1f} | {row['jerk_ratio']:.2f} | "
                    f"{row['stood']:.1%} | {row['off_rad']:.4f} | {row['plan_ms']:.1f} |",
                    flush=True,
                )
    return found


def smoothness(names: list[str], rows: np.ndarray) -> dict[str, float]:
    """RMS jerk of joints 1 and 4, rad/s³; how much of the time they stood; how far from the loop they were."""
    rows = rows[rows[:, names.index("phase")] == 2]
    time_s = rows[:, names.index("time_s")]
    rows, time_s = rows[time_s > time_s[0] + 2.0], time_s[time_s > time_s[0] + 2.0]  # once it is on the loop
    columns = [names.index(f"velocity/joint{joint}") for joint in (1, 4)]
    even = np.arange(time_s[0], time_s[-1], 1e-3)
    speed = np.stack([np.interp(even, time_s, rows[:, column]) for column in columns], axis=1)
    whole = np.searchsorted(time_s, even)  # where a cycle was missed, its differences are not the motion's
    gaps = np.diff(time_s, append=time_s[-1] + 1e-3)[np.minimum(whole, len(time_s) - 1)] > 1.5e-3
    bad = np.convolve(gaps, np.ones(5), "same") > 0
    jerk = np.diff(speed, 2, axis=0) / 1e-6
    away = np.stack([rows[:, names.index(f"setpoint/joint{joint}")] for joint in (1, 4)], axis=1) - HOME[[0, 3]]
    return {
        "jerk": float(np.sqrt((jerk[~bad[1:-1]] ** 2).sum(axis=1).mean())),
        "stood": float((np.abs(speed).max(axis=1) < 5e-3).mean()),
        "off_rad": float(np.abs(np.linalg.norm(away, axis=1) - LOOP_RAD).mean()),
    }


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", nargs="+", choices=("loop", "chunks"), default=["loop", "chunks"])
    parser.add_argument("--impedance", choices=("joint", "cartesian"), default="joint", help="of the loop")
    parser.add_argument("--quick", action="store_true", help="hardly trained and short: no result")
    args = parser.parse_args()
    seconds, steps = (4.0, 50) if args.quick else (args.seconds, 2_000)
    line: dict[str, Any] = {"name": "real", "peer": BAR_US, "unit": "us"}
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        if "loop" in args.only:
            found = measure_loop(out, seconds, args.impedance)
            print(
                f"{found['cycles']} cycles at {found['rate_hz']:.0f} Hz, {found['answered']:.2%} answered in time; "
                f"answer after {found['answer_p50_us']:.0f} µs p50, {found['answer_p99_us']:.0f} µs p99, all computing "
                f"{found['p50_us']:.0f} and {found['p99_us']:.0f} µs a cycle; from an observation to the set "
                f"point {found['plan_p50_ms']:.1f} ms p50, {found['plan_p99_ms']:.1f} ms p99",
                flush=True,
            )
            line |= {"ours": found["p99_us"], "ratio": BAR_US / found["p99_us"], "loop": found}
        if "chunks" in args.only:
            policy = learned(out, steps)
            print(
                "| mode | latency, ms | RMS jerk, rad/s³ | ratio | stood | off the loop, rad | plan, ms |\n"
                + "|---" * 7
                + "|"
            )
            line["chunks"] = measure_chunks(out, seconds, policy)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
