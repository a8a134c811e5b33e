"""A policy through the MAVLink stack beside the same policy in the bare simulator: 30 s of hover and of a lying eight.

`uv run python benchmarks/quadrotor_flight.py CHECKPOINT [--quick]`. The stack is `burnish deploy`: policy server →
Safety → driver → MAVLink over UDP → simulated autopilot → the X500's rigid body; single motors at 100 Hz. Distances are
those to where the policy was told to be, after the first five seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import get_args

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from burnish.commands import deploy
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.policies.base import load_policy
from burnish.quadrotor import Path as Flown
from burnish.real.journal import Recording
from burnish.real.quadrotor.config import QuadrotorConfig
from burnish.real.quadrotor.route import Route
from burnish.real.recorded import PLAYING
from burnish.sim.quadrotor.dynamics import advance
from burnish.sim.quadrotor.flights import RATE_HZ, begin, sense
from burnish.sim.quadrotor.tasks import HOVER
from burnish.sim.quadrotor.vehicles import named

HEIGHT_M, SETTLED_S = 1.5, 5.0


def bare(checkpoint: Path, path: Flown, seconds: float) -> np.ndarray:
    """Distances (T,) m in the simulator alone, from rest at home."""
    policy, route = load_policy(checkpoint), Route(path, HEIGHT_M)
    agent, vehicle = policy.agent(1), named("x500", 1)
    agent.reset([0], [0])
    flight = begin(HOVER, torch.zeros(1, dtype=torch.int64), vehicle, pushed=0.0)
    state, found = flight.state, []
    for step in range(round(seconds * RATE_HZ)):
        target = torch.from_numpy(route.at(step / RATE_HZ))[None]
        seen = sense(state, flight.seed, flight.steps, 0.0)
        state = advance(state, vehicle, agent.act({STATE: seen, ENVIRONMENT_STATE: target}).T, 1 / RATE_HZ)
        if step / RATE_HZ > SETTLED_S:
            found.append(np.linalg.norm(state[:3, 0].numpy() - route.at((step + 1) / RATE_HZ)[:3]))
    return np.array(found)


def flown(checkpoint: Path, path: Flown, seconds: float, folder: Path) -> np.ndarray:
    """Distances (T,) m by what the autopilot's telemetry said."""
    robot = QuadrotorConfig(mode="motors", path=path, height_m=HEIGHT_M)
    found = deploy.run(deploy.Config(str(checkpoint), "quadrotor", robot, sim=True, seconds=seconds, out=folder))
    if found["halts"]:
        raise SystemExit(
            f"{path}: halted after {found['actions']} actions by {found['last_halt']!r}; see its lines above"
        )
    print(f"{path}: {found['actions'] / seconds:.0f} actions a second", flush=True)
    recording, route = Recording(folder), Route(path, HEIGHT_M)
    names, rows = recording.names, np.array(recording.rows)
    rows = rows[rows[:, names.index("phase")] == PLAYING]
    clock = rows[:, names.index("clock_s")] - rows[0, names.index("clock_s")]
    place = rows[:, [names.index(axis) for axis in "xyz"]]
    wanted = np.stack([route.at(now)[:3] for now in clock])
    return np.linalg.norm(place - wanted, axis=1)[clock > SETTLED_S]


def main() -> None:
    """Prints a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--quick", action="store_true", help="8 s each")
    args = parser.parse_args()
    seconds, result = 8.0 if args.quick else 30.0, {}
    with tempfile.TemporaryDirectory() as folder:
        for path in get_args(Flown):
            pair = {"bare": bare(args.checkpoint, path, seconds)}
            pair["mavlink"] = flown(args.checkpoint, path, seconds, Path(folder) / path)
            rows = {name: {"mean_m": away.mean(), "worst_m": away.max()} for name, away in pair.items()}
            result[path] = {name: {key: round(float(v), 4) for key, v in row.items()} for name, row in rows.items()}
            result[path]["ratio"] = round(float(pair["mavlink"].mean() / pair["bare"].mean()), 2)
            print(path, result[path], flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
