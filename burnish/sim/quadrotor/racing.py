"""Racing by plans: at each gate a new one through the next two, and the geometric controller along it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.contract import ENVIRONMENT_STATE
from burnish.errors import BurnishError
from burnish.quadrotor import GRAVITY
from burnish.sim.base import VecEnv
from burnish.sim.quadrotor.control import command, default_gains
from burnish.sim.quadrotor.dynamics import ATTITUDE, POSITION, RATES, VELOCITY, derivative, rotation
from burnish.sim.quadrotor.env import QuadrotorWorld
from burnish.sim.quadrotor.flights import RATE_HZ
from burnish.sim.quadrotor.planners import Planner, forces
from burnish.sim.quadrotor.snap import Trajectory

TILT = 1.5
"""Largest sideways force per weight: more than plans ask for, so that something is left to come back to them."""
LOST_M = 0.5
"""Further away from its plan, a quadrotor plans from where it is."""


class Racer:
    """Flies `quadrotor/race`, and knows what it flies.

    Attributes:
        env: where.
        plans: of every lane.
        count: of plans made.
    """

    def __init__(self, env: VecEnv, planner: Planner) -> None:
        """Raises `BurnishError` for another task."""
        if not isinstance(env, QuadrotorWorld) or env.task != "quadrotor/race":
            raise BurnishError(f"a racer flies quadrotor/race, not {env.task}")
        self.env, self._planner, lanes = env, planner, env.num_envs
        nothing = torch.zeros(2, lanes, dtype=torch.float64)
        self.plans = Trajectory(torch.zeros(2, 8, 3, lanes, dtype=torch.float64), nothing + 1)
        self._time, self._passed, self.count = nothing[0], torch.zeros(lanes), 0

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """A race that begins is known by its steps."""

    def looks(self) -> list[int]:
        """It is blind."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """(N, 4) commands of the rotors."""
        flights = self.env.flights
        state, vehicle = flights.state.double(), flights.vehicle.double()
        wanted = self.plans.at(self._time)
        astray = (wanted[0] - state[POSITION]).square().sum(0) > LOST_M**2
        anew = astray | (flights.steps == 0)
        lanes = (anew | (flights.progress != self._passed)).nonzero().flatten()
        if len(lanes):
            here = moving(state, vehicle, flights.command.double())
            start = torch.where(anew, here, wanted[:4])[..., lanes]
            self._renew(lanes, start, obs[ENVIRONMENT_STATE].T.double())
            self._passed = flights.progress.clone()
            wanted = self.plans.at(self._time)
        self._time = self._time + 1 / RATE_HZ
        return follow(wanted, state, vehicle).T.float().contiguous()

    def _renew(self, lanes: Tensor, start: Tensor, gates: Tensor) -> None:
        fresh = self._planner.plan(start, gates[:, lanes], self.env.flights.vehicle[:, lanes].double())
        terms = self.plans.terms.index_copy(-1, lanes, fresh.terms)
        self.plans = Trajectory(terms, self.plans.times.index_copy(-1, lanes, fresh.times))
        self._time = self._time.index_fill(0, lanes, 0.0)
        self.count += len(lanes)


def follow(wanted: Tensor, state: Tensor, vehicle: Tensor) -> Tensor:
    """(4, N) commands of the rotors along a trajectory, of which `wanted` (5, 3, N) is this moment."""
    _, turn = forces(wanted, vehicle)
    return command(state, vehicle, default_gains(vehicle), wanted[:2].flatten(0, 1), wanted[2], turn, TILT)


def moving(state: Tensor, vehicle: Tensor, asked: Tensor) -> Tensor:
    """(4, 3, N) place, velocity, acceleration and jerk of states (17, N) whose rotors were `asked` for (4, N): jerk as
    far as turning makes it."""
    acceleration = derivative(state, vehicle, asked)[VELOCITY]
    axes, (roll, pitch, _) = rotation(state[ATTITUDE]), state[RATES]
    lift = ((acceleration + torch.tensor([[0.0], [0.0], [GRAVITY]])) * axes[2::3]).sum(0)
    jerk = lift * (pitch * axes[0::3] - roll * axes[1::3])
    return torch.stack([state[POSITION], state[VELOCITY], acceleration, jerk])


@dataclass(frozen=True)
class Laps:
    """What became of N races.

    Attributes:
        lap_s: (N,) from the first gate to the same gate again; NaN where it was not reached.
        course_s: (N,) from the start to the end.
        crashed: (N,) bool; the others without a lap have missed a gate.
    """

    lap_s: Tensor
    course_s: Tensor
    crashed: Tensor

    @property
    def failures(self) -> int:
        """Races without a lap."""
        return int(self.lap_s.isnan().sum())

    @property
    def lap(self) -> float:
        """Median, s."""
        return float(self.lap_s.nanmedian())


def race(env: VecEnv, planner: Planner, seed: int) -> Laps:
    """One race in every lane of `env`, of `seed` and those that follow it."""
    racer, lanes = Racer(env, planner), env.num_envs
    obs, running = env.reset(range(seed, seed + lanes)), torch.ones(lanes, dtype=torch.bool)
    begun, lap, course = (torch.full((lanes,), math.nan) for _ in range(3))
    crashed, step = ~running, 0
    while running.any():
        found, step = env.step(racer.act(obs), ids=running.nonzero().flatten().tolist()), step + 1
        obs, now = found.obs, step / RATE_HZ
        begun = torch.where(begun.isnan() & (racer.env.flights.progress >= 1), now, begun)
        done = running & found.terminated
        lap, course = torch.where(done, now - begun, lap), torch.where(done, now, course)
        crashed, running = crashed | found.info["crashed"], running & ~found.done
    return Laps(lap, course, crashed)
