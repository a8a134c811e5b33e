"""A passivity filter: a robot that is pushed against something may only spend what its energy tank holds.

Energy tanks (Ferraguti, Secchi and Fantuzzi, ICRA 2013; Shahriari et al., RA-L 2019): an impedance controller is
passive as long as its set point rests. Moving the set point does the work (spring force) · (velocity of the set point);
it is drawn from a tank, which damping and braking fill again. Free motion hardly draws, for the spring is slack; a
policy that goes on pushing empties the tank and is halted.
"""

from __future__ import annotations

import numpy as np

from burnish.real.base import State
from burnish.real.motion import Moment


class EnergyTank:
    """Of one robot with joint stiffness."""

    def __init__(self, stiffness: tuple[float, ...], damping: tuple[float, ...], capacity_j: float) -> None:
        """`stiffness` N·m/rad and `damping` N·m·s/rad of the controller, for the first entries of a setpoint."""
        self._springs = slice(0, len(stiffness))
        self._stiffness, self._damping = np.array(stiffness), np.array(damping)
        self.capacity_j = capacity_j
        self.fill()

    def fill(self) -> None:
        """To the brim, as at a start."""
        self.level_j = self.capacity_j
        self._before: np.ndarray | None = None

    def pays(self, state: State, now: Moment, period_s: float) -> bool:
        """Whether the tank has enough for this cycle; what it costs is drawn."""
        measured = state.measured[self._springs]
        before = measured if self._before is None else self._before
        moved, self._before = (measured - before) / period_s, measured
        pushed = float(self._stiffness * (now[0][self._springs] - measured) @ now[1][self._springs])
        damped = float(self._damping * moved @ moved)
        self.level_j = min(self.capacity_j, self.level_j + (damped - pushed) * period_s)
        return bool(self.level_j > 0)
