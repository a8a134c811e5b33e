"""Flying over the whole stack against the same controller beside bare dynamics: rate, latency, and where it flies.

`uv run python benchmarks/quadrotor_link.py [--quick]`. The stack is controller → Safety → driver → MAVLink over UDP →
autopilot in a process of its own; the peer calls the same autopilot's loops in process, with no line and no delay. Both
hover for half of the time and fly a figure of eight (1 m by 0.5 m in 6 s) for the other half, in attitude mode.
`compute`
is one cycle of controller, Safety and driver; `answer` from the autopilot's sending an attitude to its receiving the
setpoint that answers it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time

import numpy as np

from burnish import processes
from burnish.quadrotor import CYCLE_HZ
from burnish.real.quadrotor.config import QuadrotorConfig
from burnish.real.quadrotor.driver import QuadrotorDriver
from burnish.real.quadrotor.dynamics import Quadrotor
from burnish.real.quadrotor.flight import Flight, Rules, Wish
from burnish.real.quadrotor.frames import from_angles
from burnish.real.quadrotor.pilot import Pilot
from burnish.real.safety import Safety
from burnish.real.simulated import SimulatedProcess

HEIGHT_M, LAP_S = 1.5, 6.0
AXES = np.array([1.0, 0.5])


def figure(seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place, velocity and acceleration on the eight (Gerono's lemniscate)."""
    turn = 2 * math.pi / LAP_S * np.array([1.0, 2.0])
    phase = turn * seconds
    zero = [0.0]
    return (
        np.array([*AXES * np.sin(phase), HEIGHT_M]),
        np.concatenate([AXES * turn * np.cos(phase), zero]),
        np.concatenate([-AXES * turn**2 * np.sin(phase), zero]),
    )


def plan(seconds: float, half: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rest = np.zeros(3)
    return (np.array([0, 0, HEIGHT_M]), rest, rest) if seconds < half else figure(seconds - half)


def errors(flown: list[tuple[float, float]], half: float) -> dict[str, float]:
    """Root mean square distance, m, without the first 2 s of each part."""
    parts = {"hover": (2.0, half), "eight": (half + 2.0, 2 * half)}
    return {
        name: math.sqrt(statistics.fmean(error**2 for seconds, error in flown if begin <= seconds < end))
        for name, (begin, end) in parts.items()
    }


def bare(half: float) -> dict[str, float]:
    """The controller beside the dynamics."""
    body = Quadrotor(position=np.array([0, 0, HEIGHT_M]))
    body.speed[:] = math.sqrt(body.airframe.hover)
    flight, pilot, flown = Flight(body, Rules()), Pilot("attitude"), []
    flight.armed, flight.mode = True, "OFFBOARD"
    for cycle in range(int(2 * half * CYCLE_HZ)):
        wanted = plan(cycle / CYCLE_HZ, half)
        values = np.concatenate([body.position, body.rotation.ravel(), body.velocity, body.rates])
        roll, pitch, yaw, thrust = pilot.act(values, *wanted)
        flight.take(Wish("attitude", from_angles(roll, pitch, yaw), thrust, flight.time_s))
        flown.append((cycle / CYCLE_HZ, float(np.linalg.norm(body.position - wanted[0]))))
        flight.step(1 / CYCLE_HZ)
    return errors(flown, half)


def over_the_line(half: float) -> dict[str, float]:
    """The whole stack."""
    compute: list[float] = []
    flown: list[tuple[float, float]] = []
    with SimulatedProcess("quadrotor", ["--port", "0"]) as sim:
        robot = QuadrotorDriver(QuadrotorConfig(sim.address, height_m=HEIGHT_M))
        robot.connect()
        state = robot.prepare()
        safety, pilot = Safety(robot.spec), Pilot("attitude")
        safety.start(state)
        begin, start_s = time.monotonic(), state.time_s
        while state.time_s - start_s < 2 * half:
            state = robot.read()
            woken = time.perf_counter()
            wanted = plan(state.time_s - start_s, half)
            safety.want(state, pilot.act(state.values, *wanted)[None], 1)
            robot.write(safety.step(state, silence_s=0.2))
            compute.append((time.perf_counter() - woken) * 1e6)
            flown.append((state.time_s - start_s, float(np.linalg.norm(state.values[:3] - wanted[0]))))
        wall = time.monotonic() - begin
        robot.close()
        report = sim.stop()
    if safety.verdict or report["crashed"] or report["violations"]:
        raise SystemExit(f"the flight failed: {safety.verdict} {report}")
    p50, p99 = np.percentile(compute, (50, 99))
    answer = dict(zip(("answer_p50_ms", "answer_p99_ms"), report["answer_ms"], strict=True))
    rate = {"rate_hz": len(compute) / wall, "lost_share": 1 - len(compute) / (2 * half * CYCLE_HZ)}
    return {**errors(flown, half), **rate, "compute_p50_us": p50, "compute_p99_us": p99, **answer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 s instead of 30")
    half = 5.0 if parser.parse_args().quick else 15.0
    processes.real_time(50)  # as the control process of `burnish deploy` does
    peer, ours = bare(half), over_the_line(half)
    for name, value in ours.items():
        print(f"{name:16} {value:10.4f}" + (f"   bare {peer[name]:.4f}" if name in peer else ""))
    result = {"name": "quadrotor_link", **ours, **{f"bare_{name}": value for name, value in peer.items()}}
    result["ratio_eight"] = ours["eight"] / peer["eight"]
    print(json.dumps({key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
