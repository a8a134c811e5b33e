"""Minimum-snap trajectories through places at given times (Mellinger and Kumar, ICRA 2011), for N quadrotors at once.

A polynomial of seventh degree per leg and axis. Of all that pass the places in time, the one of least ∫ |d⁴p/dt⁴|² dt
has six continuous derivatives at every place between, and its fourth and fifth vanish where the end leaves acceleration
and jerk free (Euler and Lagrange): one linear system per quadrotor, differentiable by times, places and velocities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

TERMS = 8
"""Of a polynomial."""
RATES = 5
"""Place and its first four derivatives, of which snap is the last."""


@cache
def _powers(count: int) -> Tensor:
    """(8, count + 1, 8) the derivatives by s of 1, s, s², … at even steps of s from 0 to 1."""
    share = torch.linspace(0, 1, count + 1, dtype=torch.float64)
    orders = [
        [math.perm(term, order) * share ** max(0, term - order) for term in range(TERMS)] for order in range(TERMS)
    ]
    return torch.stack([torch.stack(terms, dim=-1) for terms in orders])


BEGIN, END = _powers(1).unbind(1)
JOINED = slice(1, 7)
"""Derivatives that two legs share."""


@dataclass(frozen=True)
class Trajectory:
    """Of N quadrotors, M legs each.

    Attributes:
        terms: (M, 8, 3, N) of the polynomials in the share of a leg's time, lowest first, m.
        times: (M, N) s of the legs.
    """

    terms: Tensor
    times: Tensor

    def at(self, time: Tensor) -> Tensor:
        """(5, 3, N) place, velocity, acceleration, jerk, snap at `time` (N,) s; before and after it, at its ends."""
        ends = self.times.cumsum(0)
        time = time.clamp(min=0).minimum(ends[-1])
        leg = (time >= ends[:-1]).sum(0)
        long = self.times.gather(0, leg[None])[0]
        share = (time - (ends.gather(0, leg[None])[0] - long)) / long
        terms = self.terms.gather(0, leg.expand(1, *self.terms.shape[1:]))[0]
        return torch.stack([_derivative(terms, share, order) / long**order for order in range(RATES)])

    def sampled(self, count: int) -> Tensor:
        """(5, 3, M, `count`, N) the same at even shares of every leg, without its beginning."""
        table = _powers(count)[:RATES, 1:].to(self.terms)
        found = torch.einsum("rsk,mkan->ramsn", table, self.terms)
        scale = torch.stack([self.times**order for order in range(RATES)])
        return found / scale[:, None, :, None]

    def lanes(self, lanes: Tensor) -> Trajectory:
        """Those of some quadrotors alone."""
        return Trajectory(self.terms[..., lanes], self.times[:, lanes])


def through(start: Tensor, places: Tensor, times: Tensor, leaving: Tensor) -> Trajectory:
    """The minimum-snap trajectory.

    Args:
        start: (4, 3, N) place, velocity, acceleration and jerk from which it begins; m and s.
        places: (M, 3, N) at the end of each leg.
        times: (M, N) s that the legs take.
        leaving: (3, N) m/s at the last place.
    """
    legs, lanes = times.shape
    matrix = times.new_zeros(lanes, TERMS * legs, TERMS * legs)
    given = times.new_zeros(lanes, TERMS * legs, 3)
    begin, end = BEGIN.to(times.dtype), END.to(times.dtype)
    matrix[:, :4, :TERMS] = begin[:4]
    given[:, :4] = (start * torch.stack([times[0] ** order for order in range(4)])[:, None]).permute(2, 0, 1)
    row = 4
    for leg in range(legs - 1):
        own, following = slice(TERMS * leg, TERMS * (leg + 1)), slice(TERMS * (leg + 1), TERMS * (leg + 2))
        matrix[:, row, own], matrix[:, row + 1, following] = end[0], begin[0]
        given[:, row] = given[:, row + 1] = places[leg].T
        ratio = torch.stack([(times[leg + 1] / times[leg]) ** order for order in range(1, 7)], dim=1)
        matrix[:, row + 2 : row + 8, own] = ratio[..., None] * end[JOINED]
        matrix[:, row + 2 : row + 8, following] = -begin[JOINED]
        row += TERMS
    matrix[:, row:, -TERMS:] = end[[0, 1, 4, 5]]
    given[:, row], given[:, row + 1] = places[-1].T, (leaving * times[-1]).T
    terms = torch.linalg.solve(matrix, given)
    return Trajectory(terms.view(lanes, legs, TERMS, 3).permute(1, 2, 3, 0), times)


def _derivative(terms: Tensor, share: Tensor, order: int) -> Tensor:
    """(3, N) by Horner's rule, of terms (8, 3, N) at `share` (N,)."""
    value = torch.zeros_like(terms[0])
    for term in range(TERMS - 1, order - 1, -1):
        value = value * share + math.perm(term, order) * terms[term]
    return value
