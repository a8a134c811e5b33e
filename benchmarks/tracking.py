"""A policy of `unitree/g1-track` on a G1 without its strap, over DDS and in the world it learned in: a clip, 20 s.

`uv run python benchmarks/tracking.py CHECKPOINT [--clip greet]`. Over DDS is `burnish deploy`: policy server → Safety →
driver → LowCmd → simulated G1, 500 cycles a second; nothing else should run. Errors are those of waist and arms as the
robot's own encoders told them, 500 times a second, beside the clip. It begins with the first question to the policy, at
most LATEST_S before the first action, which the recording does not hold: `began_s` is what fits best. In the world: 20
robots with floors, gains, latencies, noise and pushes of their own. The last line is JSON.
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
from deployed import deployed

from burnish.policies.base import load_policy
from burnish.real.unitree.driver import UnitreeConfig
from burnish.sim.base import make_env
from burnish.tracking import Reference
from burnish.unitree import G1

ROBOTS, LATEST_S = 20, 0.1


def compared(clock: np.ndarray, joints: np.ndarray, clip: str) -> dict[str, float]:
    """What became of `clip`: clock (T,) s since the first action, joints (T, J) rad."""
    reference, size = Reference(G1, clip), len(G1.follows)

    def away(began: float) -> np.ndarray:
        return np.abs(joints - reference.told(clock + began)[:, :size])

    began = min(np.arange(0.0, LATEST_S, 0.005), key=lambda began: away(began).mean())
    found = away(began)
    worst = int(found.mean(0).argmax())
    print(f"  worst: {G1.follows[worst]}, {found[:, worst].mean():.4f} rad on average", flush=True)
    numbers = {
        "error_mean": found.mean(), "error_p99": np.percentile(found, 99), "error_most": found.max(), "began_s": began,
    }  # fmt: skip
    return {name: round(float(value), 4) for name, value in numbers.items()}


def over_dds(checkpoint: str, clip: str, seconds: float, folder: Path) -> dict[str, Any]:
    """By what the driver read from the robot, while the policy played."""
    found = deployed("unitree-g1", checkpoint, UnitreeConfig(clip=clip), seconds, folder)
    free, clock = found.seen("clock_s", "tilt_rad", "height_m", "place_m"), found.clock
    stood = {
        "seconds": round(float(clock[-1] - clock[0]), 2), "without_strap": round(float(clock[-1] - free[0, 0]), 2),
        "most_tilt": round(float(free[:, 1].max()), 3), "fell": found.fell,
        "lowest_m": round(float(free[:, 2].min()), 3), "halt": found.session["last_halt"],
        "actions": found.session["actions"], "moved_m": round(float(np.linalg.norm(free[-1, 3:] - free[0, 3:])), 3),
    }  # fmt: skip
    joints = found.rows[:, [found.names.index(joint) for joint in G1.follows]]
    return stood | compared(clock - clock[0], joints, clip)


def in_the_world(checkpoint: str, clip: str, seconds: float) -> dict[str, Any]:
    """How many fell, and the mean error of those that did not."""
    agent, steps = load_policy(Path(checkpoint)).agent(ROBOTS), round(seconds * 50)
    with make_env(f"unitree/g1-track:{clip}", ROBOTS, horizon=steps) as env:
        obs, running = env.reset(range(ROBOTS)), list(range(ROBOTS))
        agent.reset(running, running)
        solved, fell = 0, 0
        while running:
            step = env.step(agent.act(obs), ids=running)
            obs, solved = step.obs, solved + int(step.terminated.sum())
            fell += int(step.info["crashed"].sum())
            running = [lane for lane in running if not step.done[lane]]
        rows = [lane["rows"] for lane in env.state()]
    errors = [float(row["error"][0] / row["steps"][0]) for row in rows]
    return {"solved": solved, "fell": fell, "of": ROBOTS, "error_mean": round(float(np.mean(errors)), 4)}


def main() -> None:
    """Prints what was found, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--clip", default="greet", help="a name or a CSV file")
    parser.add_argument("--quick", action="store_true", help="8 s: a check that it runs, no result")
    args = parser.parse_args()
    seconds = 8.0 if args.quick else 20.0
    with tempfile.TemporaryDirectory() as folder:
        result = {"clip": args.clip, "dds": over_dds(args.checkpoint, args.clip, seconds, Path(folder))}
    result["world"] = in_the_world(args.checkpoint, args.clip, seconds)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
