"""Teachers of quadrotors: controllers that know what they fly, tuned through the simulator's derivatives.

Either many, each an expert on one vehicle with gains of its own, as those of RAPTOR (arXiv 2509.11481); or one, whose
gains are a function of the vehicle, as in HIB and RMA (arXiv 2107.04034), which flies any.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from burnish.console import track
from burnish.rl_finetune.analytic import Cost, Stream, finite_mean
from burnish.sim.quadrotor import dynamics
from burnish.sim.quadrotor.control import GAINS, command, default_gains
from burnish.sim.quadrotor.dynamics import INERTIA, stride
from burnish.sim.quadrotor.flights import RATE_HZ

WINDOW = 60
"""Steps that one update of the gains looks ahead."""
FREE = 1.5
"""A gain is tuned to between its default's exp(−`FREE`) and exp(`FREE`) fold."""


class Teachers(Protocol):
    """Experts by vehicle.

    Attributes:
        general: knows vehicles too that it was not tuned on.
    """

    general: bool

    def parameters(self) -> list[Tensor]:
        """What is tuned."""
        ...

    def gains(self, vehicle: Tensor) -> Tensor:
        """(7, N) for the controllers of vehicles (16, N)."""
        ...


class Many:
    """One per lane, each for the vehicle of its lane alone."""

    general = False

    def __init__(self, lanes: int) -> None:
        self._change = torch.zeros(len(GAINS), lanes, requires_grad=True)

    def parameters(self) -> list[Tensor]:
        """Gains of every lane."""
        return [self._change]

    def gains(self, vehicle: Tensor) -> Tensor:
        """Those of the lanes."""
        return default_gains(vehicle) * torch.exp(FREE * torch.tanh(self._change))


class One:
    """One for all: its gains depend on the vehicle."""

    general = True

    def __init__(self, seed: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            last = nn.Linear(32, len(GAINS))
            nn.init.zeros_(last.weight)
            self._network = nn.Sequential(nn.Linear(7, 32), nn.Tanh(), last)

    def parameters(self) -> list[Tensor]:
        """Of the network from parameters to gains."""
        return list(self._network.parameters())

    def gains(self, vehicle: Tensor) -> Tensor:
        """By mass, thrust, inertia, arm, lag and torque of the vehicles."""
        rows = [dynamics.MASS, dynamics.THRUST, INERTIA.start, dynamics.ARM, dynamics.SPIN_UP, dynamics.SPIN_DOWN]
        known = vehicle[[*rows, dynamics.MOMENT]].log()
        usual = torch.tensor([-0.5, 0.5, -6.0, -2.5, -3.0, -2.0, -4.0])[:, None]
        return default_gains(vehicle) * torch.exp(FREE * torch.tanh(self._network((known - usual).T).T))


def tune(teachers: Teachers, stream: Stream, updates: int, cost: Cost, lr: float = 0.05) -> float:
    """Make `teachers` better at the vehicles of `stream`, which keep their lanes; the last mean cost of a step."""
    optimizer, found = torch.optim.Adam(teachers.parameters(), lr), 0.0
    with track("tuning the teachers", updates) as advance:
        for _ in range(updates):
            stream.renew(keep=True)
            state, total = stream.state, torch.zeros(stream.state.shape[1])
            gains = teachers.gains(stream.vehicle)
            target = torch.cat([stream.target, torch.zeros_like(stream.target)])
            before = 2 * state[dynamics.ROTORS] - 1
            for _ in range(WINDOW):
                rotors = command(state, stream.vehicle, gains, target)
                state = stride(state, stream.vehicle, rotors, 1 / RATE_HZ)
                now = 2 * rotors - 1
                total = total + cost(state, stream.target, now, before)
                before = now
            loss = finite_mean(total / WINDOW)
            optimizer.zero_grad()
            loss.backward()
            for parameter in teachers.parameters():
                assert parameter.grad is not None
                torch.nan_to_num_(parameter.grad, 0.0, 0.0, 0.0)
            optimizer.step()
            stream.state, stream.age = state.detach(), stream.age + WINDOW
            found = float(loss.detach())
            advance(1, f"cost {found:.3f}")
    return found
