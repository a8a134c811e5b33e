"""From one action to the next: motion that keeps velocity, acceleration and jerk within limits.

Arms: a quintic that meets the next action with the velocity and acceleration the chunk has there, which is as smooth as
the chunk itself; where that would pass a limit, as at a start, the one after it is met. To stop, and where no action
can be met in motion, ruckig's time-optimal jerk-limited motion (Berscheid and Kröger, RSS 2021). Legs and rotors are
given actions as they come, only their rate of change is limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from burnish import quintic
from burnish.limits import Limits

BEYOND = 9
"""Cycles by which motion goes on past its end, so that the next action may be looked at first."""
HAIR = 1e-9
"""What rounding may add."""
INSIDE = 1e-7
"""So far a joint stays away from the ends of its range, for a robot stops by itself where rounding leads beyond one."""
SLOWEST = 1e-3
"""Near the end of its range a joint may still creep, per s."""
Moment = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Position, velocity, acceleration of a setpoint, (A,) each."""


@dataclass(frozen=True)
class Foreseen:
    """What will be joined to the samples `of` a motion in its `cycle`, over so many `cycles`, and whether
    it stays `below` the upper limits."""

    of: np.ndarray
    cycle: int
    cycles: int
    samples: np.ndarray
    below: bool = False

    def fits(self, of: np.ndarray | None, cycle: int, cycles: int) -> bool:
        """Whether this is where the motion is now, and what is asked of it."""
        return self.of is of and self.cycle == cycle and self.cycles == cycles


class Motion(Protocol):
    """Where the setpoint is in each cycle."""

    now: Moment

    def start(self, position: np.ndarray) -> None:
        """At rest at `position` (A,)."""
        ...

    def soon(self, cycles: int) -> np.ndarray:
        """(A,) where it will be so many cycles on."""
        ...

    def foresee(self, moment: Moment, cycles: int) -> Iterator[None]:
        """Work out, in three cycles, what `aim` at `moment`, in the one after them and `cycles` before it, asks for."""
        ...

    def aim(self, moments: Iterable[Moment], cycles: int, period: int) -> bool:
        """Head for `moments`, to be met in `cycles` and then one after the other, `period` cycles apart. False if the
        limits forbid the first."""
        ...

    def brake(self) -> None:
        """Come to rest as soon as the limits allow."""
        ...

    def step(self) -> Moment:
        """The next cycle's."""
        ...


class SmoothMotion:
    """For arms."""

    def __init__(self, limits: Limits, period_s: float, share: float = 1.0) -> None:
        """`share`: of the limits of velocity and acceleration that is used."""
        import ruckig

        self._limits, self._period = limits, period_s
        self._share = share
        self._acceleration, self._jerk = np.array(limits.acceleration) * share, np.array(limits.jerk)
        self._free = np.array([name in limits.free for name in limits.names])
        low, high = np.array(limits.low) + INSIDE, np.array(limits.high) - INSIDE
        self._bound, self._loose_places = np.flatnonzero(~self._free), np.flatnonzero(self._free).tolist()
        size = len(self._bound)
        self._solver, self._path = ruckig.Ruckig(size), ruckig.Trajectory(size)
        self._aimed, self._braking = ruckig.InputParameter(size), ruckig.InputParameter(size)
        self._braking.control_interface = ruckig.ControlInterface.Velocity
        for given in (self._aimed, self._braking):
            given.max_acceleration = self._acceleration[self._bound].tolist()
            given.max_jerk = self._jerk[self._bound].tolist()
        self._fastest = np.array(limits.velocity) * share
        rates = [self._fastest, self._acceleration, self._jerk]
        self._open = np.array([[low, *(-rate for rate in rates)], [high, *rates]])
        self._open += np.array([-HAIR, HAIR])[:, None, None]
        self._open[:, :, self._free] = np.array([-np.inf, np.inf])[:, None, None]
        self._edges = self._open
        self._joining: dict[int, np.ndarray] = {}
        self._foreseen: Foreseen | None = None

    def start(self, position: np.ndarray) -> None:
        """At rest at `position` (A,)."""
        rest = np.zeros_like(position)
        self.now: Moment = (position.copy(), rest, rest)
        self._samples: np.ndarray | None = None
        self._foreseen = None
        self._cycle, self._solved = 0, False
        self._slow_down(position)

    def soon(self, cycles: int) -> np.ndarray:
        """(A,) where it will be so many cycles on, while it follows an action; else where it is."""
        ahead = self._ahead(cycles)
        return self.now[0] if ahead is None else ahead[0]

    def foresee(self, moment: Moment, cycles: int) -> Iterator[None]:
        """Join `moment` to where motion will be then, and look at one half of the limits."""
        self._slow_down(self.soon(3), moment[0])
        yield
        ahead, foreseen = self._ahead(2), None
        if self._samples is not None and ahead is not None:
            foreseen = Foreseen(self._samples, self._cycle + 2, cycles, self._quintic(ahead, moment, cycles))
        yield
        if foreseen is not None:
            self._foreseen = replace(foreseen, below=self._below(foreseen.samples))
        yield

    def aim(self, moments: Iterable[Moment], cycles: int, period: int) -> bool:
        """Join the motion through `moments` at the first one that the limits allow; else stop at the first."""
        foreseen, self._foreseen = self._foreseen, None
        known = foreseen is not None and foreseen.fits(self._samples, self._cycle, cycles)
        if foreseen is not None and known and foreseen.below and self._above(foreseen.samples):
            return self._take(foreseen.samples)
        moments, begin = iter(moments), self.now
        first = next(moments)
        if not known:
            self._slow_down(begin[0], first[0])
            samples = self._quintic(begin, first, cycles)
            if self._keeps(samples):
                return self._take(samples)
        for number, moment in enumerate(moments, 1):
            samples = self._quintic(begin, moment, cycles + number * period)
            if self._keeps(samples):
                return not self._take(samples)
        self._cycle = 0
        self._samples = None
        top = self._fastest.copy()
        for entry, speed in self._slower.items():
            top[entry] = max(speed * self._share, SLOWEST)
        self._aimed.max_velocity = top[self._bound].tolist()
        self._aimed.target_position = first[0][self._bound].tolist()
        self._aimed.target_velocity = [0.0] * len(self._bound)
        self._aimed.minimum_duration = cycles * self._period
        self._loose = first[0][self._free]
        self._solve(self._aimed)
        return False

    def brake(self) -> None:
        """Come to rest as soon as the limits allow."""
        self._samples, self._cycle = None, 0
        self._braking.max_velocity = np.array(self._limits.velocity)[self._bound].tolist()
        self._braking.target_velocity = [0.0] * len(self._bound)
        self._loose = self.now[0][self._free]
        self._solve(self._braking)

    def step(self) -> Moment:
        """The next cycle's; after the end of what was aimed for, at rest there."""
        self._cycle += 1
        if self._samples is not None and self._cycle <= len(self._samples):
            sample = self._samples[self._cycle - 1]
            self.now = (sample[0], sample[1], sample[2])
            return self.now
        if self._samples is not None:  # nothing came to go on with
            self.brake()
            self._cycle += 1
        if self._solved:
            at = self._path.at_time(min(self._cycle * self._period, self._path.duration))
            self.now = (self._whole(at[0], self._loose), self._whole(at[1], 0.0), self._whole(at[2], 0.0))
        return self.now

    def _take(self, samples: np.ndarray) -> bool:
        """Follow them from now on."""
        self._samples, self._solved, self._cycle = samples, False, 0
        return True

    def _whole(self, bound: list[float], free: Any) -> np.ndarray:
        found = np.empty(len(self._free))
        found[self._bound], found[self._free] = bound, free
        return found

    def _solve(self, given: Any) -> None:
        """A path from now on. What rounding put a hair beyond a limit is put back first."""
        position, velocity, acceleration = (part[self._bound] for part in self.now)
        most = np.maximum(np.array(given.max_velocity), np.abs(velocity))
        given.max_velocity = most.tolist()
        bound = self._acceleration[self._bound]
        given.current_position, given.current_velocity = position.tolist(), velocity.tolist()
        given.current_acceleration = np.clip(acceleration, -bound, bound).tolist()
        self._solver.calculate(given, self._path)
        self._solved = True

    def _slow_down(self, *places: np.ndarray) -> None:
        """How fast it may be between `places`."""
        self._slower = self._limits.slower(place.tolist() for place in places)
        self._edges = self._open.copy() if self._slower else self._open
        for entry, speed in self._slower.items():
            most = speed * self._share + HAIR
            self._edges[0, 1, entry], self._edges[1, 1, entry] = -most, most

    def _ahead(self, cycles: int) -> Moment | None:
        """The moment so many cycles on; None where no action is followed any more."""
        place = self._cycle - 1 + cycles
        if self._samples is None or place >= len(self._samples):
            return None
        sample = self._samples[place]
        return sample[0], sample[1], sample[2]

    def _quintic(self, begin: Moment, end: Moment, cycles: int) -> np.ndarray:
        """(cycles + `BEYOND`, 4, A) of the polynomial of degree 5 that joins `begin` and `end`; jerk comes last."""
        if cycles not in self._joining:
            joining = quintic.joining(np.arange(1, cycles + 1) * self._period, cycles * self._period)
            on = quintic.going_on(np.arange(1, BEYOND + 1) * self._period)
            self._joining[cycles] = np.concatenate([joining, on], axis=1).swapaxes(0, 1).reshape(-1, 6)
        samples = (self._joining[cycles] @ np.array((*begin, *end))).reshape(cycles + BEYOND, 4, -1)
        for place in self._loose_places:
            samples[:, :, place] = 0.0
            samples[:, 0, place] = end[0][place]
        return samples

    def _keeps(self, samples: np.ndarray) -> bool:
        """Whether the limits hold all along."""
        return self._below(samples) and self._above(samples)

    def _below(self, samples: np.ndarray) -> bool:
        high = self._edges[1]
        return np.count_nonzero(np.maximum.reduce(samples) <= high) == high.size

    def _above(self, samples: np.ndarray) -> bool:
        low = self._edges[0]
        return np.count_nonzero(np.minimum.reduce(samples) >= low) == low.size


class DirectMotion:
    """For legs and rotors: an action is the setpoint, as quickly as the limit of velocity allows."""

    def __init__(self, limits: Limits, period_s: float, share: float = 1.0) -> None:
        """`share`: of the velocity limit that is used."""
        self._most, self._period = np.array(limits.velocity) * share * period_s, period_s

    def start(self, position: np.ndarray) -> None:
        """At `position` (A,)."""
        rest = np.zeros_like(position)
        self.now: Moment = (position.copy(), rest, rest)
        self._target = position.copy()

    def soon(self, cycles: int) -> np.ndarray:
        """(A,) where it is."""
        return self.now[0]

    def foresee(self, moment: Moment, cycles: int) -> Iterator[None]:
        """Nothing is worked out."""
        yield from (None, None, None)

    def aim(self, moments: Iterable[Moment], cycles: int, period: int) -> bool:
        """The position of the first; nothing is spread over `cycles`."""
        self._target = next(iter(moments))[0]
        return bool((np.abs(self._target - self.now[0]) <= self._most * cycles).all())

    def brake(self) -> None:
        """Stay where it is."""
        self._target = self.now[0].copy()

    def step(self) -> Moment:
        """The next cycle's."""
        change = np.clip(self._target - self.now[0], -self._most, self._most)
        self.now = (self.now[0] + change, change / self._period, np.zeros_like(change))
        return self.now
