"""A passivity filter: a robot that is pushed against something may only spend what its energy tank holds.

Energy tanks (Ferraguti, Secchi and Fantuzzi, ICRA 2013; Shahriari et al., RA-L 2019): an impedance controller is
passive as long as its set point rests. Moving the set point does the work (spring force) · (velocity of the set point);
it is drawn from a tank, which damping and braking fill again. Free motion hardly draws, for the spring is slack; a
policy that goes on pushing empties the tank and is halted.
"""

from __future__ import annotations

from burnish.real.base import State
from burnish.real.motion import Moment


class EnergyTank:
    """Of one robot with joint stiffness."""

    def __init__(self, stiffness: tuple[float, ...], damping: tuple[float, ...], capacity_j: float) -> None:
        """`stiffness` N·m/rad and `damping` N·m·s/rad of the controller, for the first entries of a setpoint."""
        self._springs, self.capacity_j = tuple(zip(stiffness, damping, strict=True)), capacity_j
        self.fill()

    def fill(self) -> None:
        """To the brim, as at a start."""
        self.level_j = self.capacity_j
        self._before: list[float] | None = None

    def pays(self, state: State, now: Moment, period_s: float) -> bool:
        """Whether the tank has enough for this cycle; what it costs is drawn."""
        self.level_j = min(self.capacity_j, self.level_j + self._power(state, now, period_s) * period_s)
        return self.level_j > 0

    def _power(self, state: State, now: Moment, period_s: float) -> float:
        """W that flow into the tank."""
        measured, power = state.measured.tolist(), 0.0
        # For so few numbers Python's own arithmetic takes a third of NumPy's time, in every cycle.
        moments = zip(self._springs, measured, self._before or measured, now[0].tolist(), now[1].tolist(), strict=False)
        for (stiffness, damping), here, before, goal, speed in moments:
            moved = (here - before) / period_s
            power += damping * moved * moved - stiffness * (goal - here) * speed
        self._before = measured
        return power
