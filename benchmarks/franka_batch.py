"""The Franka world on MuJoCo-Warp: control steps per second of `franka/lift` beside those of its physics alone.

`uv run python benchmarks/franka_batch.py [--device cuda:0] [--lanes 1024 4096 8192] [--quick]`. 20 actions a second,
physics at 500 Hz. The peer launches the same graph of physics steps on worlds of its own, with a control that stands.
Runs alternate, medians are compared. Without a GPU it runs on a CPU, which says nothing of one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from burnish.contract import STATE
from burnish.fr3 import DOWN
from burnish.sim.base import VecEnv, make_env
from burnish.sim.franka.env import RATE_HZ
from burnish.sim.franka.model import ARM, FINGER, STIFFNESS, TIMESTEP_S
from burnish.sim.franka.physics import Physics
from burnish.sim.franka.tasks import TASKS

TICKS = round(1 / (RATE_HZ * TIMESTEP_S))


def rate(once: Callable[[], object], steps: int, lanes: int, device: str) -> float:
    """Control steps of all lanes per second."""
    _wait(device)
    begin = time.perf_counter()
    for _ in range(steps):
        once()
    _wait(device)
    return steps * lanes / (time.perf_counter() - begin)


def bare(lanes: int, device: str) -> Physics:
    """Arms that hold still, the cube beside them."""
    physics = Physics(TASKS["lift"], lanes, TICKS, device, alike=True)
    start = torch.tensor([*DOWN, 0.04, 0.04, 0.5, 0, 0.02, 1, 0, 0, 0], device=device)
    physics.qpos[:] = start
    physics.plan[..., ARM], physics.plan[..., FINGER] = start[ARM] * torch.tensor(STIFFNESS, device=device), 0.04
    return physics


def compared(lanes: int, device: str, rounds: int, steps: int) -> dict[str, float]:
    """Medians of both, and what all of it takes of the device's memory."""
    physics, found = bare(lanes, device), {"ours": [], "peer": []}
    with make_env("franka/lift", lanes, auto_reset=True, settings={"backend": "warp", "device": device}) as env:
        wander = _wandering(env)
        for _ in range(rounds):
            found["ours"].append(rate(wander, steps, lanes, device))
            found["peer"].append(rate(physics.step, steps, lanes, device))
        free, total = torch.cuda.mem_get_info(device) if device != "cpu" else (0, 0)
    ours, peer = (statistics.median(found[name]) for name in ("ours", "peer"))
    return {"ours": round(ours), "peer": round(peer), "ratio": round(ours / peer, 2), "memory_mb": (total - free) >> 20}


def _wandering(env: VecEnv) -> Callable[[], object]:
    """A step with targets that drift around the start, drawn on the device."""
    action = env.reset(range(env.num_envs))[STATE][:, [*range(7), 14]]
    random = torch.Generator(env.device).manual_seed(0)

    def step() -> object:
        noise = torch.randn(action.shape, generator=random, device=env.device)
        action.add_(0.004 * noise)
        return env.step(action)

    return step


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def main() -> None:
    """Prints a line of JSON for each number of lanes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--lanes", type=int, nargs="+", default=None)
    parser.add_argument("--quick", action="store_true", help="a check that it runs")
    options = parser.parse_args()
    lanes = options.lanes or ([1024, 4096, 8192] if options.device != "cpu" else [16])
    rounds, steps = (1, 4) if options.quick else (5, 40)
    for count in lanes:
        row = {"name": "franka_batch", "device": options.device, "lanes": count, "unit": "control steps/s"}
        print(json.dumps(row | compared(count, options.device, rounds, steps)))


if __name__ == "__main__":
    main()
