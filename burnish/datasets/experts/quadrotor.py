"""An expert that flies every quadrotor: it knows which it is, how fast its rotors turn and what wind blows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE
from burnish.errors import BurnishError
from burnish.sim.base import VecEnv
from burnish.sim.quadrotor.control import command, default_gains
from burnish.sim.quadrotor.dynamics import POSITION
from burnish.sim.quadrotor.env import QuadrotorWorld

GATE_SPEED, AHEAD_M = 1.5, 0.6
"""m/s through gates; it aims this far in front of one until it is on the gate's axis, and as far behind it then."""
ASIDE_M = 0.15

Aim = Callable[[Tensor, Tensor], Tensor]
"""What is known (K, N) and the place (3, N) → (6, N) place and velocity to be at."""


def _target(known: Tensor, place: Tensor) -> Tensor:
    return known


def _waypoint(known: Tensor, place: Tensor) -> Tensor:
    return torch.cat([known[:3], torch.zeros_like(known[:3])])


def _gate(known: Tensor, place: Tensor) -> Tensor:
    middle, (cos, sin) = known[:3], known[3:5]
    through = torch.stack([cos, sin, torch.zeros_like(cos)])
    along = ((place - middle) * through).sum(0)
    aside = (place - middle - along * through).square().sum(0).sqrt()
    lined_up = (aside < ASIDE_M) & (along > -1.5 * AHEAD_M)
    ahead = torch.where(lined_up, AHEAD_M, -AHEAD_M)
    return torch.cat([middle + ahead * through, torch.where(lined_up, GATE_SPEED, 0.0) * through])


AIMS: dict[str, Aim] = {"hover": _target, "track": _target, "waypoints": _waypoint, "race": _gate}


class QuadrotorExpert:
    """The geometric controller with the true vehicle's numbers."""

    def __init__(self, env: VecEnv) -> None:
        """Raises `BurnishError` for another simulator's environment, `UnknownNameError` for a task it cannot fly."""
        if not isinstance(env, QuadrotorWorld):
            raise BurnishError(f"the quadrotor's expert flies quadrotor/TASK, not {env.task}")
        task = env.task.partition("/")[2]
        if task not in AIMS:
            raise registry.unknown("expert of the quadrotor task", task, AIMS)
        self._env, self._aim = env, AIMS[task]
        self.label: Tensor = torch.zeros(env.num_envs, 4)
        self._speed: Tensor | None = None

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Forget how the target moved."""
        self._speed = None

    def looks(self) -> list[int]:
        """It is blind."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """(N, 4) commands of the rotors."""
        flights = self._env.flights
        aim = self._aim(obs[ENVIRONMENT_STATE].T, flights.state[POSITION])
        before = aim[3:] if self._speed is None or self._aim is not _target else self._speed
        push = (aim[3:] - before) * self._env.contract.action.rate_hz
        gains = default_gains(flights.vehicle)
        self.label = command(flights.state, flights.vehicle, gains, aim, push).T.contiguous()
        self._speed = aim[3:]
        return self.label
