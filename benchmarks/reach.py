"""Poses of the tool to joints: `franka-tool`'s inverse kinematics beside the one of Pinocchio's documentation.

`uv run python benchmarks/reach.py [--actions 60]`. Three paths at 20 actions a second, each from the start pose: a
circle in front of the arm, a straight line to 45 cm beyond its reach, and lines to ten random poses, most of which lead
past singular poses and ends of joints. Per path: milliseconds per action, how far the tool is from where it should be
at the end of an action (median), and the largest step of a joint as a multiple of what 80 % of its velocity limit
allows in that time. The peer is the closed-loop example (damping 1e-12, at most 1000 iterations of a tenth of the step,
from the pose before), its kinematics in C++; it knows no limits. The last line is JSON: `ours` and `peer` are
milliseconds per action on the circle.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from burnish.fr3 import ARM_LIMITS, DOWN
from burnish.real.franka.impedance import pin
from burnish.real.franka.reach import SHARE, ToolPoses
from burnish.real.franka.server import Arm
from burnish.rotations import ROTATIONS, turn

PERIOD_S, RANDOM = 0.05, 10
HOME, POSES = np.append(DOWN, 0.05), ToolPoses("6d")
HERE = POSES.actions(HOME[None])[0]
READ = ROTATIONS["6d"].read
MOST = SHARE * np.array(ARM_LIMITS.velocity) * PERIOD_S
Solver = Callable[[np.ndarray], np.ndarray]
"""(H, 10) poses to (H, 7) joints, from the start pose on."""


def circle(count: int) -> np.ndarray:
    """8 cm × 12 cm, level, once around in `count` actions."""
    phase, path = np.linspace(0, 2 * np.pi, count), np.tile(HERE, (count, 1))
    path[:, :2] += np.stack([0.08 * (np.cos(phase) - 1), 0.12 * np.sin(phase)], axis=1)
    return path


def line(goal: np.ndarray, count: int) -> np.ndarray:
    """To `goal` (10,), straight and by the shortest turn."""
    share = np.linspace(0, 1, count)[:, None]
    path = HERE + (goal - HERE) * share
    turns = ROTATIONS["axis_angle"].read(share * turn(READ(goal[3:9]) @ READ(HERE[3:9]).T)) @ READ(HERE[3:9])
    path[:, 3:9] = ROTATIONS["6d"].write(turns)
    return path


def ours(path: np.ndarray) -> np.ndarray:
    """As `burnish deploy` does."""
    return POSES.setpoints(path, HOME, None, PERIOD_S)[:, :7]


def pinocchio() -> Solver:
    """The example "Inverse kinematics (clik)" of Pinocchio's documentation."""
    arm = Arm(initial_q=DOWN)
    tool = arm.tool

    def solve(path: np.ndarray) -> np.ndarray:
        q, found = np.array(DOWN), []
        for pose in path:
            goal = pin.SE3(READ(pose[3:9]), pose[:3])
            for _ in range(1000):
                here = tool.pose(q)
                away = here.actInv(goal)
                error = pin.log6(away).vector
                if np.linalg.norm(error) < 1e-4:
                    break
                moves = -pin.Jlog6(away.inverse()) @ local(here, tool.jacobian(q))
                step = -moves.T @ np.linalg.solve(moves @ moves.T + 1e-12 * np.eye(6), error)
                q = q + 0.1 * step
            found.append(q)
        return np.array(found)

    return solve


def local(here: Any, moves: np.ndarray) -> np.ndarray:
    """A Jacobian in the tool's own axes."""
    return np.concatenate([here.rotation.T @ moves[:3], here.rotation.T @ moves[3:]])


def judge(solve: Solver, paths: list[np.ndarray]) -> dict[str, float]:
    """One row."""
    took, away, steps = 0.0, [], []
    for path in paths:
        begin = time.perf_counter()
        joints = solve(path)
        took += time.perf_counter() - begin
        places = POSES.actions(np.concatenate([joints, np.zeros((len(joints), 1))], axis=1))[:, :3]
        away += np.linalg.norm(places - path[:, :3], axis=1).tolist()
        steps.append((np.abs(np.diff(np.vstack([DOWN, joints]), axis=0)) / MOST).max())
    actions = sum(map(len, paths))
    return {"ms": 1e3 * took / actions, "away_mm": 1e3 * float(np.median(away)), "step": float(np.max(steps))}


def main() -> None:
    """Print the table and the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actions", type=int, default=60)
    count = parser.parse_args().actions
    random = np.random.default_rng(0)
    goals = random.uniform(ARM_LIMITS.low, ARM_LIMITS.high, (RANDOM, 7))
    there = POSES.actions(np.concatenate([goals, np.zeros((RANDOM, 1))], axis=1))
    paths = {
        "circle": [circle(count)],
        "beyond its reach": [line(HERE + 0.75 * np.eye(10)[0], count)],
        "random lines": [line(goal, count) for goal in there],
    }
    solvers, rows = {"ours": ours, "peer": pinocchio()}, {}
    print(f"{'path':18}{'':6}{'ms per action':>16}{'tool away, mm':>16}{'largest step':>16}")
    for name, made in paths.items():
        for who, solve in solvers.items():
            row = rows[name, who] = judge(solve, made)
            print(f"{name:18}{who:6}{row['ms']:16.2f}{row['away_mm']:16.2f}{row['step']:16.2f}")
    mine, theirs = (rows["circle", who]["ms"] for who in ("ours", "peer"))
    print(json.dumps({"ours": round(mine, 3), "peer": round(theirs, 3), "ratio": round(theirs / mine, 2)}))


if __name__ == "__main__":
    main()
