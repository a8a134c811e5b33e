"""What a student saw in flight, and what its teachers would have done there (DAgger, arXiv 1011.0686)."""

from __future__ import annotations

import torch
from torch import Tensor

from burnish.contract import STATE
from burnish.policies.recurrent import Recurrent
from burnish.rl_finetune.analytic import Stream, blur, seen
from burnish.rl_finetune.flight_teachers import Teachers
from burnish.sim.quadrotor.control import command
from burnish.sim.quadrotor.dynamics import POSITION, advance, delayed
from burnish.sim.quadrotor.flights import RATE_HZ

MIX_STEPS = 25
"""Who flies is drawn anew so often."""
STRAY_M = 2.0
"""From further away nothing is learned: there every command is at its limit."""

Flown = tuple[Tensor, Tensor, Tensor]
"""Of T steps in N lanes: numbers read (T, N, I); actions taught, and 1 or, once astray, 0 (T, N, A + 1); the commands
before (T, N, A)."""


class Lessons:
    """Flights of the student, all kept."""

    def __init__(self) -> None:
        self._flown: list[Flown] = []

    @torch.no_grad()
    def fly(
        self,
        student: Recurrent,
        teachers: Teachers,
        stream: Stream,
        steps: int,
        share: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Every lane's vehicle once from a start of its own, for `share` of the time by its teacher; the distances
        (N,) m at the end."""
        stream.renew(keep=not teachers.general, everything=True)
        lanes, width = stream.state.shape[1], student.config.width
        state, memory, gains = stream.state, student.begin(lanes), teachers.gains(stream.vehicle)
        told = torch.cat([stream.target, torch.zeros_like(stream.target)])
        read, said, done = [], [], []
        taught, alive = torch.ones(lanes, dtype=torch.bool), torch.ones(lanes)
        for moment in range(steps):
            obs = seen(state, stream.target)
            obs[STATE] = obs[STATE] + blur(lanes, generator)
            numbers, before = student.read(obs), memory[:, width:]
            label = 2 * command(state, stream.vehicle, gains, told).T - 1
            alive = alive * ((state[POSITION] - stream.target).norm(dim=0) < STRAY_M)
            read.append(numbers)
            said.append(torch.cat([label, alive[:, None]], dim=1))
            done.append(before)
            own, memory = student.step(numbers, memory)
            if moment % MIX_STEPS == 0:
                taught = torch.rand(lanes, generator=generator) < share
            action = torch.where(taught[:, None], label, own)
            memory = torch.cat([memory[:, :width], action], dim=1)
            rotors = delayed((action.T + 1) / 2, (before.T + 1) / 2, stream.vehicle, 1 / RATE_HZ)
            state = advance(state, stream.vehicle, rotors, 1 / RATE_HZ)
        stream.state = state
        self._flown.append((torch.stack(read), torch.stack(said), torch.stack(done)))
        return stream.away

    def draw(self, lanes: int, newest: bool, generator: torch.Generator) -> Flown:
        """`lanes` of one flight, of the newest or of any."""
        which = int(torch.randint(len(self._flown), (), generator=generator))
        flown = self._flown[-1 if newest else which]
        rows = torch.randperm(flown[0].shape[1], generator=generator)[:lanes]
        read, said, done = (part[:, rows] for part in flown)
        return read, said, done
