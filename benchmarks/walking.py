"""A policy of `unitree/velocity` on a Go2, or of another task that walks: 20 s of standing and of walking, over DDS and
in the world it learned in.

`uv run python benchmarks/walking.py CHECKPOINT [--task unitree/g1-walk] [--velocity 0.5 0 0] [--quick]`. Over DDS is
`burnish deploy`: policy server → Safety → driver → LowCmd → simulated robot, 500 cycles a second; nothing else should
run. In the world: 20 robots with loads, floors, gains, latencies, noise and pushes of their own. Velocities are those
of windows of 1 s, in the robot's heading, from the third second on. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from deployed import deployed

from burnish.policies.base import load_policy
from burnish.real.unitree.driver import UnitreeConfig
from burnish.sim.base import make_env
from burnish.sim.unitree.tasks import task as known

ROBOTS, WINDOW_S, SETTLED_S = 20, 1.0, 2.0
Velocity = tuple[float, float, float]


def followed(clock: np.ndarray, place: np.ndarray, heading: np.ndarray, asked: Velocity) -> dict[str, float]:
    """What came of `asked`: clock (T,) s, place (T, 2) m, heading (T,) rad."""
    span = round(WINDOW_S / np.median(np.diff(clock)))
    first = int(np.searchsorted(clock - clock[0], SETTLED_S))
    moved = (place[first + span :] - place[first:-span]) / (clock[first + span :] - clock[first:-span])[:, None]
    middle = np.unwrap(heading)[first + span // 2 :][: len(moved)]
    ahead, left = np.cos(middle), np.sin(middle)
    along = moved[:, 0] * ahead + moved[:, 1] * left
    across = moved[:, 1] * ahead - moved[:, 0] * left
    error = np.hypot(along - asked[0], across - asked[1])
    turned = (np.unwrap(heading)[-1] - heading[0]) / (clock[-1] - clock[0])
    numbers = {
        "distance_m": np.linalg.norm(place[-1] - place[0]), "velocity_x": along.mean(), "velocity_y": across.mean(),
        "yaw_rate": turned, "error_mean": error.mean(), "error_worst": error.max(),
    }  # fmt: skip
    return {name: round(float(value), 3) for name, value in numbers.items()}


def over_dds(checkpoint: str, task: str, asked: Velocity, seconds: float, folder: Path) -> dict[str, Any]:
    """By the simulated robot's own report, while the policy played."""
    found = deployed(
        known(task.removeprefix("unitree/")).model.name, checkpoint, UnitreeConfig(velocity=asked), seconds, folder
    )
    seen = found.seen("clock_s", "place_m", "heading_rad")
    lasted = round(float(found.clock[-1] - found.clock[0]), 2)
    stood = {"seconds": lasted, "fell": found.fell, "halt": found.session["last_halt"]}
    return stood | {"actions": found.session["actions"]} | followed(seen[:, 0], seen[:, 1:3], seen[:, 3], asked)


def in_the_world(checkpoint: str, task: str, asked: Velocity, seconds: float) -> dict[str, Any]:
    """Means over those that did not fall, and how many did."""
    agent, steps = load_policy(Path(checkpoint)).agent(ROBOTS), round(seconds * 50)
    with make_env(task, ROBOTS, horizon=steps + 1) as env:
        env.reset(range(ROBOTS))
        snapshot = env.state()
        for lane in snapshot:
            lane["rows"]["asked"][:] = torch.tensor(asked)
        obs, tracks, running = env.restore(snapshot), [], list(range(ROBOTS))
        agent.reset(running, running)
        for _ in range(steps):
            step = env.step(agent.act(obs), ids=running)
            obs, running = step.obs, [lane for lane in running if not step.done[lane]]
            physics = torch.stack([lane["rows"]["physics"][0] for lane in env.state()]).numpy()
            w, x, y, z = physics[:, 4:8].T
            heading = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
            tracks.append(np.column_stack([physics[:, 1:3], heading]))
    clock, track = np.arange(1, steps + 1) / 50, np.array(tracks)
    found = [followed(clock, track[:, lane, :2], track[:, lane, 2], asked) for lane in running]
    means = {name: round(float(np.mean([one[name] for one in found])), 3) for name in found[0]} if found else {}
    return {"fell": ROBOTS - len(running), "of": ROBOTS} | means


def main() -> None:
    """Prints a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--task", default="unitree/velocity")
    parser.add_argument("--velocity", nargs=3, type=float, default=(0.5, 0.0, 0.0), help="m/s, m/s, rad/s")
    parser.add_argument("--quick", action="store_true", help="6 s each: a check that it runs, no result")
    args = parser.parse_args()
    seconds, result = 6.0 if args.quick else 20.0, {}
    for name, asked in (("stand", (0.0, 0.0, 0.0)), ("walk", tuple(args.velocity))):
        with tempfile.TemporaryDirectory() as folder:
            dds = over_dds(args.checkpoint, args.task, asked, seconds, Path(folder))
        result[name] = {"asked": asked, "dds": dds, "world": in_the_world(args.checkpoint, args.task, asked, seconds)}
        print(name, json.dumps(result[name]), flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
