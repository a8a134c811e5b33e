"""Learning through the simulator's own derivatives (analytic policy gradients; backpropagation through time).

No reward is estimated and nothing explored: what a parameter does to the cost of the next second is differentiated
through the rigid bodies, the rotors' lag and the policy's memory. Flights go on from window to window, so that the end
of long ones is learned as well as their beginning (truncated as Williams and Peng, Neural Computation 1990).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.policies.recurrent import Recurrent
from burnish.sim.quadrotor import noise
from burnish.sim.quadrotor.dynamics import ATTITUDE, POSITION, RATES, VELOCITY, delayed, rotation, stride
from burnish.sim.quadrotor.flights import RATE_HZ, SENSORS
from burnish.sim.quadrotor.tasks import HOME
from burnish.sim.quadrotor.vehicles import Fleet

NEAR_M = 0.02
"""Within which the distance counts as its square: further out, every centimetre counts the same."""
LOST_M, LOST_SPIN = 4.0, 30.0
"""A flight this far away, or spinning faster (rad/s), begins anew."""
AGAIN, POOR_M = 0.75, 0.3
"""How often a flight that was lost, or ended further away than that, begins anew with its vehicle: what is hard to fly
is flown more."""
THROWN = (0.6, 1.2, 1.5, 2.5)
"""How it begins, each axis up to: m, rad, m/s, rad/s; rotors at any speed."""


@dataclass(frozen=True)
class Cost:
    """Per step; the distance to the target counts 1 per m."""

    speed: float = 0.03
    """Per (m/s)²."""
    turning: float = 0.01
    """Per (rad/s)²."""
    heading: float = 0.05
    """Per 1 − cos of the angle between front and east, and a third of it of that between up and up."""
    change: float = 0.05
    """Per squared change of a command, from one step to the next, in halves of its range."""
    precise: float = 0.05
    """Per ln(1 + (distance / `NEAR_M`)²), which pulls most at `NEAR_M`: the last centimetres weigh beside metres."""

    def __call__(self, state: Tensor, target: Tensor, command: Tensor, before: Tensor) -> Tensor:
        """(N,) of states (17, N), places (3, N) and commands (4, N) in network units, −1 … 1."""
        square = (state[POSITION] - target).square().sum(0)
        away = (square + NEAR_M**2).sqrt() + self.precise * torch.log1p(square / NEAR_M**2)
        turned = rotation(state[ATTITUDE])
        fast = state[VELOCITY].square().sum(0).clamp(max=9), state[RATES].square().sum(0).clamp(max=50)
        upright = self.heading * (1 - turned[0]) + self.heading / 3 * (1 - turned[8])
        change = self.change * (command - before).square().sum(0)
        return away + self.speed * fast[0] + self.turning * fast[1] + upright + change


class Stream:
    """Flights without end in N lanes, each in a vehicle of its own; one that is lost or old begins anew."""

    def __init__(self, fleet: Fleet, lanes: int, longest: int, seed: int) -> None:
        self.fleet, self.longest, self._next = fleet, longest, seed << 32
        self.vehicle, self.state = self._draw(lanes)
        self._generator = torch.Generator().manual_seed(seed)
        self.age = torch.randint(longest, (lanes,), generator=self._generator)
        self.target = torch.tensor(HOME)[:, None].repeat(1, lanes)

    @property
    def away(self) -> Tensor:
        """(N,) m."""
        return (self.state[POSITION] - self.target).norm(dim=0)

    def renew(self, *, keep: bool = False, everything: bool = False) -> tuple[Tensor, Tensor]:
        """(N,) bool which begin anew now, and which of these were lost.

        Args:
            keep: every lane keeps its vehicle.
            everything: all begin anew.
        """
        state, away = self.state, self.away
        lost = (away > LOST_M) | (state[RATES].norm(dim=0) > LOST_SPIN) | ~torch.isfinite(state).all(dim=0)
        over = lost | (self.age >= self.longest) | everything
        rows = over.nonzero().flatten()
        vehicle, fresh = self._draw(len(rows))
        self.state = state.index_copy(1, rows, fresh)
        if not keep:
            again = (lost | (away > POOR_M))[rows] & (torch.rand(len(rows), generator=self._generator) < AGAIN)
            self.vehicle = self.vehicle.index_copy(1, rows, torch.where(again, self.vehicle[:, rows], vehicle))
        self.age = self.age.index_fill(0, rows, 0)
        return over, lost

    def _draw(self, count: int) -> tuple[Tensor, Tensor]:
        seed = torch.arange(self._next, self._next + count)
        self._next += count
        share = 2 * noise.uniform(seed, 3 * noise.SALT, 16) - 1
        turned = torch.cat([torch.ones_like(share[:1]), THROWN[1] / 2 * share[3:6]])
        place = torch.tensor(HOME)[:, None] + THROWN[0] * share[:3]
        moving = turned / turned.norm(dim=0), THROWN[3] * share[9:12], 0.5 + 0.5 * share[12:]
        return self.fleet.draw(seed), torch.cat([place, THROWN[2] * share[6:9], *moving])


def seen(state: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The observations of `quadrotor/hover`, without noise, differentiable."""
    told = torch.cat([target, torch.zeros_like(target)])
    numbers = [state[POSITION], rotation(state[ATTITUDE]), state[VELOCITY], state[RATES]]
    return {STATE: torch.cat(numbers).T, ENVIRONMENT_STATE: told.T}


def blur(count: int, generator: torch.Generator) -> Tensor:
    """(count, 18) noise of the sensors, to be added to `observation.state`; of the attitude, to each number of it."""
    scale = torch.tensor([SENSORS[0]] * 3 + [SENSORS[1]] * 9 + [SENSORS[2]] * 3 + [SENSORS[3]] * 3)
    return torch.randn(count, 18, generator=generator) * scale


Step = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def stepper(policy: Recurrent, cost: Cost, compiled: bool = False) -> Step:
    """What `policy` makes of state (17, N), vehicle (16, N), target (3, N), memory (N, M) and noise of the sensors
    (N, 18): the next state, the next memory, and what the step costs (N,); one function, to be compiled as a whole."""
    width = policy.config.width

    def step(
        state: Tensor, vehicle: Tensor, target: Tensor, memory: Tensor, noisy: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        obs = seen(state, target)
        obs[STATE] = obs[STATE] + noisy
        before = memory[:, width:]
        command, memory = policy.step(policy.read(obs), memory)
        rotors = delayed((command.T + 1) / 2, (before.T + 1) / 2, vehicle, 1 / RATE_HZ)
        state = stride(state, vehicle, rotors, 1 / RATE_HZ)
        return state, memory, cost(state, target, command.T, before.T)

    return torch.compile(step, fullgraph=True) if compiled else step


def window(step: Step, stream: Stream, memory: Tensor, steps: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mean cost (N,) of the next `steps` of every lane, differentiable, and the memory (N, M) after them; `stream` is
    then so much further."""
    state, total = stream.state, torch.zeros(len(memory))
    for _ in range(steps):
        state, memory, cost = step(state, stream.vehicle, stream.target, memory, blur(len(memory), generator))
        total = total + cost
    stream.state, stream.age = state.detach(), stream.age + steps
    return total / steps, memory


def finite_mean(cost: Tensor, most: float = 6.0) -> Tensor:
    """The mean of what is finite; a flight that is lost anyway counts `most`, and moves nothing."""
    return torch.where(torch.isfinite(cost), cost, 0.0).clamp(max=most).mean()
