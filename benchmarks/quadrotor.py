"""The quadrotor world: steps per second of 4,096 environments, beside l2f (C++) and crazyflow (jax).

`uv run python benchmarks/quadrotor.py [--quick] [--device cuda] [--crazyflow PYTHON]`. A step is 10 ms: physics,
sensors with noise, judging and the bookkeeping of episodes; what the peers do is physics alone, by Runge and Kutta too.
Runs alternate, medians are compared. l2f is compared where it is installed (`uv pip install "burnish[foundation]"`
compiles for seven minutes); crazyflow by a Python that has it (`uv venv E && VIRTUAL_ENV=E uv pip install
crazyflow==0.4.0`, then E/bin/python), with which a flight is compared, too: the same vehicle, start and commands for a
second.

The floor: a step reads and writes some 130 numbers per environment and computes some 1,500 operations; at 20 GB/s and
2 × 10¹⁰ operations a second that is 13 million steps a second.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import torch

from burnish.sim.base import make_env
from burnish.sim.quadrotor import dynamics
from burnish.sim.quadrotor.dynamics import advance
from burnish.sim.quadrotor.vehicles import named

LANES, BATCH = 4096, 5
ANSWER = "answer "
"""As `quadrotor_crazyflow` answers."""

Timed = Callable[[float], float]
"""For so many seconds: how many steps of all environments are taken per second."""


def timed(step: Callable[[], object]) -> Timed:
    """By this process's clock."""

    def run(seconds: float) -> float:
        begin, count, took = time.perf_counter(), 0, 0.0
        while took < seconds:
            for _ in range(BATCH):
                step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            count, took = count + BATCH, time.perf_counter() - begin
        return LANES * count / took

    return run


def world(compiled: bool, device: str) -> Callable[[], object]:
    """`quadrotor/hover` as a learner steps it."""
    settings = {"compiled": compiled, "device": device}
    env = make_env("quadrotor/hover", LANES, auto_reset=True, settings=settings)
    env.reset(range(LANES))
    action = torch.full((LANES, 4), 0.6, device=device)
    return lambda: env.step(action)


def physics(compiled: bool, device: str) -> Callable[[], object]:
    """The rigid bodies alone."""
    settings = {"device": device}
    env = make_env("quadrotor/hover", LANES, settings=settings)
    env.reset(range(LANES))
    flights, command = env.flights, torch.full((4, LANES), 0.6, device=device)  # pyright: ignore[reportAttributeAccessIssue]
    step = torch.compile(advance, fullgraph=True) if compiled else advance
    return lambda: step(flights.state, flights.vehicle, command, 0.01)


def l2f_step() -> Callable[[], object]:
    """RAPTOR's simulator, on its own threads."""
    import l2f
    from l2f import vector4096 as vector

    device, rng, env = l2f.Device(), vector.VectorRng(), vector.VectorEnvironment()
    parameters, state, then = vector.VectorParameters(), vector.VectorState(), vector.VectorState()
    vector.initialize_rng(device, rng, 0)
    vector.initialize_environment(device, env)
    vector.sample_initial_parameters(device, env, parameters, rng)
    vector.sample_initial_state(device, env, parameters, state, rng)
    action = np.full((LANES, 4), 0.2, np.float32)
    return lambda: vector.step(device, env, parameters, state, action, then, rng)


class Crazyflow:
    """crazyflow, in a process of its own."""

    def __init__(self, python: Path) -> None:
        peer = Path(__file__).with_name("quadrotor_crazyflow.py")
        self._process = subprocess.Popen(
            [python, peer, str(LANES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip

    def ask(self, question: dict[str, Any]) -> Any:
        """Its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                return json.loads(line.removeprefix(ANSWER))
        raise SystemExit(f"crazyflow ended with {self._process.wait()}")

    def run(self, seconds: float) -> float:
        """Steps per second by its clock."""
        return self.ask({"seconds": seconds})

    def apart(self) -> dict[str, float]:
        """Largest differences after a second of the same tumbling flight, m and m/s."""
        random = torch.Generator().manual_seed(0)
        vehicle, state = named("crazyflie", 1), torch.zeros(dynamics.STATE_ROWS, 1)
        state[dynamics.POSITION] = torch.tensor([[0.0], [0.0], [20.0]])  # its floor is far
        state[dynamics.ATTITUDE] = torch.nn.functional.normalize(torch.tensor([[1.0], [0.1], [-0.2], [0.05]]), dim=0)
        for rows in (dynamics.VELOCITY, dynamics.RATES):
            state[rows] = torch.randn(3, 1, generator=random)
        state[dynamics.ROTORS] = 0.7
        commands = (0.4 + 0.5 * torch.rand(100, 4, generator=random)).repeat_interleave(5, dim=0)
        numbers = {
            name: float(vehicle[getattr(dynamics, name.upper()), 0])
            for name in ("mass", "thrust", "idle", "linear", "arm", "moment", "spin_up", "spin_down", "drag")
        }
        told = {"vehicle": numbers | {"inertia": vehicle[dynamics.INERTIA, 0].tolist()}, "fastest_rpm": 20_000.0}
        told |= {"state": state[:, 0].tolist(), "commands": commands.tolist(), "rate_hz": 500}
        theirs = torch.tensor(self.ask(told))
        for command in commands:
            state = advance(state, vehicle, command[:, None], 1 / 500)
        away = (state[:, 0] - theirs).abs()
        return {"place_m": float(away[dynamics.POSITION].max()), "velocity_m_s": float(away[dynamics.VELOCITY].max())}


def main() -> None:
    """Prints a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a check that it runs; nothing is compiled")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--crazyflow", type=Path, metavar="PYTHON")
    args = parser.parse_args()
    steps: dict[str, Timed] = {}
    for compiled in (False,) if args.quick else (False, True):
        for name, make in {"world": world, "physics": physics}.items():
            begin, kind = time.perf_counter(), name + ", compiled" * compiled
            steps[kind] = timed(make(compiled, args.device))
            steps[kind](0.01)
            print(f"{kind:20} ready after {time.perf_counter() - begin:.0f} s", flush=True)
    if importlib.util.find_spec("l2f"):
        steps["l2f"] = timed(l2f_step())
    peer = Crazyflow(args.crazyflow) if args.crazyflow else None
    if peer is not None:
        steps["crazyflow"] = peer.run
        print(f"a second of flight, from crazyflow's: {peer.apart()}", flush=True)
        peer.run(0.01)
    rounds, seconds = (2, 0.1) if args.quick else (7, 0.5)
    found = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            found[name].append(step(seconds))
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    for name, rate in middle.items():
        print(f"{name:20} {rate / 1e6:8.2f} million steps/s")
    best = {kind: max(rate for name, rate in middle.items() if name.startswith(kind)) for kind in ("world", "physics")}
    ratios = {
        f"{kind} / {name}": round(best[kind] / middle[name], 2)
        for name in ("l2f", "crazyflow")
        if name in middle
        for kind in best
    }
    print("  ".join(f"{name} {ratio}" for name, ratio in ratios.items()))
    print(json.dumps({"rates": {name: round(rate) for name, rate in middle.items()}, **ratios, "device": args.device}))


if __name__ == "__main__":
    main()
