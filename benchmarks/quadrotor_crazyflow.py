"""crazyflow's side of `quadrotor.py`, run by the Python that has it (jax; `uv pip install crazyflow==0.4.0` elsewhere).

Answers one line (`ANSWER`, then JSON) per line of JSON on its standard input: {"seconds": s} with how many steps of all
lanes it takes per second, {"vehicle": …, "state": …, "commands": …} with the last state of one quadrotor.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
import sys
import time
from typing import Any

import jax.numpy as jnp
import numpy as np
from crazyflow.control import Control
from crazyflow.sim import Dynamics, Sim
from crazyflow.sim.integration import Integrator

ORDER = [0, 3, 1, 2]
"""Front right, rear right, rear left, front left, of front right, rear left, front left, rear right."""
GRAVITY, BATCH = 9.80665, 5
ANSWER = "answer "
"""What an answer begins with; other lines are jax's and MuJoCo's."""


def simulator(lanes: int, rate_hz: int) -> Sim:
    """Rigid bodies commanded by their rotors' speeds."""
    sim = Sim(
        n_worlds=lanes,
        dynamics=Dynamics.first_principles,
        control=Control.rotor_vel,
        integrator=Integrator.rk4,
        freq=rate_hz,
    )
    sim.reset()
    return sim


def become(sim: Sim, vehicle: dict[str, Any], fastest: float) -> None:
    """The quadrotor with these numbers, of which a rotor at full speed turns with `fastest`, rpm."""
    idle, linear, most = vehicle["idle"], vehicle["linear"], vehicle["thrust"]
    curve = np.array([most * idle, most * linear / fastest, most * (1 - idle - linear) / fastest**2])
    inertia = np.diag(vehicle["inertia"])
    told = {
        "mass": vehicle["mass"],
        "L": vehicle["arm"],
        "prop_inertia": 0.0,
        "gravity_vec": np.array([0, 0, -GRAVITY]),
        "J": inertia,
        "J_inv": np.linalg.inv(inertia),
        "rpm2thrust": curve,
        "rpm2torque": vehicle["moment"] * curve,
        "drag_matrix": -vehicle["drag"] * np.eye(3),
        "rotor_dyn_coef": np.array([1 / vehicle["spin_up"], 0, 1 / vehicle["spin_down"], 0]),
    }
    params = sim.data.params
    fresh = {key: jnp.broadcast_to(jnp.asarray(value), getattr(params, key).shape) for key, value in told.items()}
    sim.data = sim.data.replace(params=params.replace(**fresh))


def fly(asked: dict[str, Any]) -> list[float]:
    """The state, as burnish has it, after all commands."""
    sim = simulator(1, asked["rate_hz"])
    fastest = asked["fastest_rpm"]
    become(sim, asked["vehicle"], fastest)
    start = np.array(asked["state"], np.float32)
    w, *vector = start[6:10]
    parts = {
        "pos": start[:3],
        "vel": start[3:6],
        "quat": np.array([*vector, w]),
        "ang_vel": start[10:13],
        "rotor_vel": fastest * start[13:][ORDER],
    }
    states = sim.data.states
    fresh = {key: jnp.asarray(value).reshape(getattr(states, key).shape) for key, value in parts.items()}
    sim.data = sim.data.replace(states=states.replace(**fresh))
    for command in asked["commands"]:
        sim.rotor_vel_control(fastest * np.array(command, np.float32)[ORDER][None, None])
        sim.step(1)
    states = sim.data.states
    *vector, w = np.asarray(states.quat).ravel()
    rotors = np.empty(4)
    rotors[ORDER] = np.asarray(states.rotor_vel).ravel() / fastest
    moving = [np.asarray(getattr(states, key)).ravel() for key in ("pos", "vel")]
    return [
        float(value) for value in [*moving[0], *moving[1], w, *vector, *np.asarray(states.ang_vel).ravel(), *rotors]
    ]


def main(lanes: int) -> None:
    """Answer until there is nothing more to answer."""
    sim = simulator(lanes, 100)
    command = np.full((lanes, 1, 4), 15_000.0, np.float32)
    for line in sys.stdin:
        asked = json.loads(line)
        if "seconds" not in asked:
            print(ANSWER + json.dumps(fly(asked)), flush=True)
            continue
        begin, count, took = time.perf_counter(), 0, 0.0
        while took < asked["seconds"]:
            for _ in range(BATCH):
                sim.rotor_vel_control(command)
                sim.step(1)
            sim.data.states.pos.block_until_ready()
            count, took = count + BATCH, time.perf_counter() - begin
        print(ANSWER + json.dumps(lanes * count / took), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
