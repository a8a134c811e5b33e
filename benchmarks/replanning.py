"""Re-planning through gates: a learned planner beside minimum snap, on the same courses with the same controller.

`uv run python benchmarks/replanning.py RUN/policy [--quick]`, after `burnish train replan --task quadrotor/race --out
RUN`. Races are those of `quadrotor/race` with an X500 in still air, known two gates ahead. What share of the limits
each planner may take is found on courses of its own: the fastest of those with the fewest failures; minimum snap's
speed at the second gate likewise. Beside them, minimum snap that knows all gates from the start and plans for as long
as it likes. A failure is a crash, a missed gate or no lap within 15 s. The bar: 2 ms per plan.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from burnish.policies.base import load_policy
from burnish.policies.mlp import MLP
from burnish.rl_finetune.gate_planner import LearnedPlanner
from burnish.sim.base import make_env
from burnish.sim.quadrotor.env import QuadrotorWorld
from burnish.sim.quadrotor.flights import RATE_HZ, Flights
from burnish.sim.quadrotor.planners import MinimumSnap, Planner, demand
from burnish.sim.quadrotor.racing import Laps, follow, moving, race
from burnish.sim.quadrotor.snap import Trajectory, through
from burnish.sim.quadrotor.tasks import GATES, RACE
from burnish.sim.quadrotor.vehicles import named

VEHICLE, HORIZON = "x500", 1500
SHARES, LEAVING = (0.9, 0.95, 1.0), (0.8, 1.0, 1.2)
KNOWN_SHARE = 0.95
"""Of the limits, that minimum snap takes when it knows all gates."""
CHOOSING, JUDGING = 1 << 20, 1 << 21
"""First seeds of the courses on which a planner is set, and of those on which it is judged."""


def raced(planner: Planner, lanes: int, seed: int) -> Laps:
    """Races on the courses of `seed` …, in still air, without noise of the sensors."""
    settings = {"vehicle": VEHICLE, "noise": 0.0}
    with make_env("quadrotor/race", lanes, horizon=HORIZON, settings=settings) as env:
        return race(env, planner, seed)


def best(planners: dict[str, Planner], lanes: int) -> str:
    """The name of the fastest among those that fail least often on the courses for choosing."""
    laps = {name: raced(planner, lanes, CHOOSING) for name, planner in planners.items()}
    for name, found in laps.items():
        print(f"  {name:28} lap {found.lap:5.2f} s, {found.failures:3} of {lanes} failed", flush=True)
    fewest = min(found.failures for found in laps.values())
    return min((name for name, found in laps.items() if found.failures == fewest), key=lambda name: laps[name].lap)


def milliseconds(planner: Planner, count: int) -> np.ndarray:
    """(count,) of single plans for one quadrotor, each from where another one led."""
    seed = torch.arange(1)
    vehicle, start = named(VEHICLE, 1).double(), torch.zeros(4, 3, 1, dtype=torch.float64)
    start[0, 2], found = 1.5, []
    for number in range(count + 20):
        gates = RACE.know(RACE.draw(seed).double(), torch.full((1,), float(number)), torch.zeros(1))
        begin = time.perf_counter()
        plan = planner.plan(start, gates, vehicle)
        found.append(1e3 * (time.perf_counter() - begin))
        start = plan.at(plan.times[0])[:4]
    return np.array(found[20:])


def known(lanes: int, updates: int) -> dict[str, float]:
    """What minimum snap comes to that knows the whole course from the start and has time: its times descend their sum
    and what it takes beyond the limits, `updates` times, for all courses at once; flown without planning again."""
    settings = {"vehicle": VEHICLE, "noise": 0.0}
    with make_env("quadrotor/race", lanes, horizon=HORIZON, settings=settings) as env:
        assert isinstance(env, QuadrotorWorld)
        env.reset(range(JUDGING, JUDGING + lanes))
        vehicle, begin = env.flights.vehicle.double(), time.perf_counter()
        plan = descended(env.flights, vehicle, updates)
        took, running = time.perf_counter() - begin, torch.ones(lanes, dtype=torch.bool)
        begun, lap = torch.full((2, lanes), torch.nan)
        crashed, now = ~running, 0.0
        while running.any():
            wanted, state = plan.at(torch.full((lanes,), now)), env.flights.state.double()
            wanted[0] += (now - plan.times.sum(0)).clamp(min=0) * wanted[1]  # straight on after the last gate
            step = env.step(follow(wanted, state, vehicle).T.float(), ids=running.nonzero().flatten().tolist())
            now += 1 / RATE_HZ
            begun = torch.where(begun.isnan() & (env.flights.progress >= 1), now, begun)
            lap = torch.where(running & step.terminated, now - begun, lap)
            crashed, running = crashed | step.info["crashed"], running & ~step.done & (now < plan.times.sum(0) + 1)
    found = {"lap_s": round(float(lap.nanmedian()), 3), "failures": int(lap.isnan().sum()), "races": lanes}
    found |= {"crashes": int(crashed.sum()), "planned_s": round(float(plan.times.sum(0).median()), 3)}
    print(f"  → {found}, {took:.0f} s for all plans", flush=True)
    return found


def descended(flights: Flights, vehicle: Tensor, updates: int) -> Trajectory:
    """Trajectories through the middles of all gates, and a little beyond the last."""
    start = moving(flights.state.double(), vehicle, flights.command.double())
    course = flights.goal.double().view(GATES, 5, -1)[[*range(GATES), 0]]
    places, ahead = course[:, :3], torch.cat([course[-1, 3:], torch.zeros_like(course[-1, :1])])
    lengths = torch.cat([start[:1], places]).diff(dim=0).square().sum(1).sqrt()
    times = (lengths / 1.5).log().requires_grad_()
    speed = torch.full_like(lengths[0], 2.0).requires_grad_()
    optimizer = torch.optim.Adam([times, speed], 0.03)
    for _ in range(updates):
        plan = through(start, places, times.exp(), speed * ahead)
        over = torch.relu(demand(plan, vehicle) / KNOWN_SHARE - 1)
        optimizer.zero_grad()
        (times.exp().sum(0) + 1000 * over.square().sum(0).mean(0)).sum().backward()
        optimizer.step()
    with torch.no_grad():
        return through(start, places, times.exp(), speed * ahead)


def main() -> None:
    """Prints a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--quick", action="store_true", help="few courses")
    args = parser.parse_args()
    torch.set_num_threads(1)
    choosing, judging, count = (16, 32, 50) if args.quick else (64, 500, 500)
    policy = load_policy(args.checkpoint)
    assert isinstance(policy, MLP)
    print("minimum snap, all gates known", flush=True)
    rows = {"minimum snap, all gates known": known(judging // 4, 30 if args.quick else 200)}
    kinds: dict[str, Callable[[], dict[str, Planner]]] = {
        "minimum snap": lambda: {
            f"share {share:g}, leaving {leaving:g}": MinimumSnap(share, leaving)
            for share in SHARES
            for leaving in LEAVING
        },
        "learned": lambda: {f"share {share:g}": LearnedPlanner(policy, share) for share in SHARES},
    }
    for kind, make in kinds.items():
        print(kind, flush=True)
        planners = make()
        name = best(planners, choosing)
        laps, took = raced(planners[name], judging, JUDGING), milliseconds(planners[name], count)
        rows[kind] = {
            "set to": name,
            "lap_s": round(laps.lap, 3),
            "course_s": round(float(laps.course_s.nanmedian()), 3),
            "failures": laps.failures,
            "crashes": int(laps.crashed.sum()),
            "races": judging,
            "plan_ms_p50": round(float(np.median(took)), 2),
            "plan_ms_p99": round(float(np.quantile(took, 0.99)), 2),
        }
        print(f"  → {rows[kind]}", flush=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
