"""The foundation policy beside RAPTOR's own, in RAPTOR's own simulator: the same vehicles, starts and winds for both.

`uv run python benchmarks/foundation.py CHECKPOINT [--quick]`. Needs `foundation-policy` and `l2f`, which compiles for
seven minutes: `uv pip install "burnish[foundation]"`.

calm: 64 quadrotors, 30 g to 2 kg, thrust-to-weight 1.6 to 4, lag of the rotors 0.03 to 0.3 s, from l2f's own starts
(within 0.5 m and 1 rad, 1 m/s, 1 rad/s, rotors up to half speed). slow: likewise, but rotors become faster as slowly as
slower. rough: 1,000 of them in a constant wind of some 0.5 m/s² along each axis and thrown: within 1 m, 3 m/s, 6 rad/s.
All for 10 s at 100 Hz. A flight that leaves 5 m, or ends more than 0.5 m away, has crashed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.policies.base import load_policy
from burnish.sim.quadrotor import dynamics
from burnish.sim.quadrotor.tasks import HOME
from burnish.sim.quadrotor.vehicles import Fleet

STEPS, BLOCK = 1000, 8
FLEET = Fleet(mass=(0.03, 2.0), thrust_to_weight=(1.6, 4.0), drag=(0.0, 0.0))
SLOW = Fleet(mass=(0.03, 2.0), thrust_to_weight=(1.6, 4.0), drag=(0.0, 0.0), spin_up=(0.03, 0.3))
"""As slow up as down: beyond what RAPTOR was trained on."""
OURS = [0, 3, 1, 2]
"""l2f numbers rotors front right, rear right, rear left, front left; this repository as PX4 does."""
SIDES = ((1, -1), (-1, -1), (-1, 1), (1, 1))
GONE_M, AWAY_M = 5.0, 0.5
WIND = 0.5
"""m/s², standard deviation per axis."""
THROWN = {"max_position": 1.0, "max_linear_velocity": 3.0, "max_angular_velocity": 6.0}

Act = Callable[[np.ndarray], np.ndarray]
"""l2f's observations (N, 22) to its actions (N, 4)."""


class Block:
    """Eight vehicles in l2f, as RAPTOR's own example flies them; those beyond the last are copies of it."""

    def __init__(self, vehicles: list[list[float]], rough: bool, seed: int) -> None:
        import l2f
        from l2f import vector8 as vector

        self._vector, self._device = vector, l2f.Device()
        self._env, self._rng = vector.VectorEnvironment(), vector.VectorRng()
        vector.initialize_environment(self._device, self._env)
        vector.initialize_rng(self._device, self._rng, seed)
        one, plain, found = l2f.Environment(), l2f.Parameters(), []
        l2f.initialize_environment(self._device, one)
        l2f.initial_parameters(self._device, one, plain)
        usual = json.loads(l2f.parameters_to_json(self._device, one, plain))
        for lane in range(BLOCK):
            parameters = l2f.Parameters()
            text = json.dumps(described(usual, vehicles[min(lane, len(vehicles) - 1)], rough))
            l2f.parameters_from_json(self._device, one, text, parameters)
            found.append(parameters)
        self._parameters, self._state, self._then = (
            vector.VectorParameters(),
            vector.VectorState(),
            vector.VectorState(),
        )
        self._parameters.parameters = found
        vector.sample_initial_state(self._device, self._env, self._parameters, self._state, self._rng)
        self._seen = np.zeros((BLOCK, self._env.OBSERVATION_DIM), np.float32)

    def see(self) -> np.ndarray:
        """(8, 22) what a policy reads: place, attitude, velocity, angular velocity, its last action."""
        self._vector.observe(self._device, self._env, self._parameters, self._state, self._seen, self._rng)
        return self._seen[:, :22]

    def step(self, action: np.ndarray) -> None:
        """10 ms."""
        self._vector.step(self._device, self._env, self._parameters, self._state, action, self._then, self._rng)
        self._state.assign(self._then)


def fly(vehicles: torch.Tensor, rough: bool, seed: int, act: Act) -> dict[str, Any]:
    """All of `vehicles` (16, N) for `STEPS`: distances (N,) m at the end, and which crashed."""
    rows = vehicles.T.double().tolist()
    starts = range(0, len(rows), BLOCK)
    blocks = [Block(rows[first : first + BLOCK], rough, seed + number) for number, first in enumerate(starts)]
    gone, spent = np.zeros(len(blocks) * BLOCK, bool), 0.0
    for _ in range(STEPS):
        seen = np.concatenate([block.see() for block in blocks])
        gone |= ~(np.linalg.norm(seen[:, :3], axis=1) < GONE_M)
        begin = time.perf_counter()
        action = np.ascontiguousarray(act(seen), np.float32)
        spent += time.perf_counter() - begin
        for block, part in zip(blocks, np.split(action, len(blocks)), strict=True):
            block.step(part)
    away = np.linalg.norm(np.concatenate([block.see() for block in blocks])[:, :3], axis=1)[: len(rows)]
    return {"away": away, "crashed": gone[: len(rows)] | ~(away < AWAY_M), "us": 1e6 * spent / STEPS / len(gone)}


def described(usual: dict[str, Any], vehicle: list[float], rough: bool) -> dict[str, Any]:
    """l2f's parameters of a vehicle (16,)."""
    found = json.loads(json.dumps(usual))
    own, (jx, jy, jz) = found["dynamics"], vehicle[dynamics.INERTIA]
    most, idle, linear = vehicle[dynamics.THRUST], vehicle[dynamics.IDLE], vehicle[dynamics.LINEAR]
    arm, mass = vehicle[dynamics.ARM], vehicle[dynamics.MASS]
    own["mass"] = mass
    own["rotor_positions"] = [[x * arm, y * arm, 0.0] for x, y in SIDES]
    own["rotor_thrust_coefficients"] = [[most * idle, most * linear, most * (1 - idle - linear)]] * 4
    own["rotor_torque_constants"] = [vehicle[dynamics.MOMENT]] * 4
    own["rotor_time_constants_rising"] = [vehicle[dynamics.SPIN_UP]] * 4
    own["rotor_time_constants_falling"] = [vehicle[dynamics.SPIN_DOWN]] * 4
    own["J"] = np.diag([jx, jy, jz]).tolist()
    own["J_inv"] = np.diag([1 / jx, 1 / jy, 1 / jz]).tolist()
    found["mdp"]["init"]["guidance"] = 0.0
    if rough:
        found["mdp"]["init"].update(THROWN)
        found["disturbances"]["random_force"]["std"] = WIND * mass
    return found


def raptor() -> Act:
    """RAPTOR's own policy."""
    from foundation_policy import Raptor

    policy = Raptor()
    policy.reset()
    return policy.evaluate_step


def ours(checkpoint: Path, lanes: int) -> Act:
    """A recurrent checkpoint, told what its contract says."""
    policy = load_policy(checkpoint)
    agent, home = policy.agent(lanes), torch.tensor(HOME)
    agent.reset(range(lanes), range(lanes))
    goal = torch.cat([home, torch.zeros(3)]).repeat(lanes, 1)

    def act(seen: np.ndarray) -> np.ndarray:
        state = torch.from_numpy(seen[:, :18].copy())
        state[:, :3] += home
        action = agent.act({STATE: state, ENVIRONMENT_STATE: goal}).numpy()
        return 2 * action[:, OURS] - 1

    return act


def summary(found: dict[str, Any]) -> dict[str, float]:
    """Numbers of the flights."""
    away, crashed = found["away"], found["crashed"]
    kept = away[~crashed] if (~crashed).any() else away
    return {
        "median_m": round(float(np.median(away)), 4),
        "worst_m": round(float(away.max()), 4),
        "stable": int((~crashed).sum()),
        "crashes": int(crashed.sum()),
        "p95_of_stable_m": round(float(np.quantile(kept, 0.95)), 4),
        "us_per_action": round(found["us"], 2),
    }


def main() -> None:
    """Prints a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--quick", action="store_true", help="16 and 64 vehicles")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sizes = (16, 64) if args.quick else (64, 1000)
    result: dict[str, Any] = {}
    for name, fleet, count, rough in (
        ("calm", FLEET, sizes[0], False), ("slow", SLOW, sizes[0], False), ("rough", FLEET, sizes[1], True),
    ):  # fmt: skip
        vehicles = fleet.draw(torch.arange(count) + 10_000 * args.seed)
        lanes, seed = -(-count // BLOCK) * BLOCK, 10_000 * args.seed
        pilots = {"raptor": raptor(), "ours": ours(args.checkpoint, lanes)}
        result[name] = {who: summary(fly(vehicles, rough, seed, act)) for who, act in pilots.items()}
        for who, row in result[name].items():
            print(f"{name:6} {who:7} " + "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
