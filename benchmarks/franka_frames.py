"""The Franka world's cameras: frames per second, image and depth of 128², on two threads.

`uv run python benchmarks/franka_frames.py [--quick]`. 64 lanes of `franka/lift` whose arms wander, two cameras each:
from joint positions to images and depth in NumPy arrays. The peer is MuJoCo-Warp as its documentation has it, one
call of `render` after the other on the same scene, 64 worlds a call. Runs alternate, medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from burnish.fr3 import DOWN
from burnish.sim.franka.cameras import Cameras
from burnish.sim.tracer import Tracer

LANES, THREADS, SIZE, VIEWS = 64, 2, 128, 2


def poses(random: np.random.Generator) -> list[dict[str, np.ndarray]]:
    """Of every lane: the arm somewhere around its start, the cube on the table."""
    sight = np.repeat([0.0, 1.0], (3, 7))
    joints = np.array(DOWN) + random.uniform(-0.2, 0.2, (LANES, 7))
    cube = np.array([0.5, 0.0, 0.02, 1, 0, 0, 0])
    return [
        {"qpos": np.concatenate([row, (0.04, 0.04), cube]), "target": np.zeros(0), "sight": sight} for row in joints
    ]


class Bare(Tracer):
    """MuJoCo-Warp's own way."""

    def rates(self) -> tuple[float, float]:
        """Frames per second, and per second of a core, of what was traced last."""
        begin, spent, frames = time.perf_counter(), time.process_time(), LANES * VIEWS
        self._draw()
        return frames / (time.perf_counter() - begin), frames / (time.process_time() - spent)


def main() -> None:
    """Prints a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a check that it runs")
    rounds = 1 if parser.parse_args().quick else 5
    random, found = np.random.default_rng(0), {"ours": [], "bare": []}
    cameras = Cameras("lift", cameras=SIZE, lanes=LANES, threads=THREADS)
    bare = Bare(cameras.model, cameras.fovys, SIZE, LANES)
    for _ in range(rounds):
        given = poses(random)
        begin, spent = time.perf_counter(), time.process_time()
        cameras.see(given)
        seconds, core = time.perf_counter() - begin, time.process_time() - spent
        bare.trace(*cameras.arranged(given))
        frames = LANES * VIEWS
        found["ours"].append((frames / seconds, frames / core))
        found["bare"].append(bare.rates())
    ours, ours_core = (statistics.median(part) for part in zip(*found["ours"], strict=True))
    peer, peer_core = (statistics.median(part) for part in zip(*found["bare"], strict=True))
    print(f"franka/lift, {LANES} lanes, {VIEWS} cameras, image and depth of {SIZE}², {THREADS} threads")
    print(f"  ours: {ours:,.0f} frames/s ({ours_core:,.0f} per second of a core)")
    print(f"  MuJoCo-Warp, a call after the other: {peer:,.0f} frames/s ({peer_core:,.0f} per second of a core)")
    row = {"name": "franka_frames", "ours": round(ours), "peer": round(peer), "unit": "frames/s"}
    row |= {"ratio": round(ours / peer, 2), "ours_per_core_s": round(ours_core)}
    print(json.dumps(row | {"ratio_per_core_s": round(ours_core / peer_core, 2)}))


if __name__ == "__main__":
    main()
