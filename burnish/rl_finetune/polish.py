"""Flights that a recurrent policy is polished in: window after window through the simulator's derivatives."""

from __future__ import annotations

import torch
from torch import Tensor

from burnish.policies.recurrent import Recurrent
from burnish.rl_finetune.analytic import Cost, Stream, finite_mean, stepper, window
from burnish.sim.quadrotor.vehicles import Fleet


class Polish:
    """N lanes of vehicles of `fleet`, each with the policy's memory of it."""

    def __init__(
        self, policy: Recurrent, fleet: Fleet, cost: Cost, lanes: int, longest: int, seed: int, compiled: bool
    ) -> None:
        self._policy = policy
        self._step = stepper(policy, cost, compiled)
        self._flights = Stream(fleet, lanes, longest, seed)
        self._memory = policy.begin(lanes).detach()
        self._ends: list[Tensor] = []
        self._costs: list[float] = []
        self._lost = 0

    def fly(self, steps: int, generator: torch.Generator) -> Tensor:
        """The mean cost of the next `steps` of all lanes, differentiable. Flights that are over begin anew before."""
        flights, away = self._flights, self._flights.away
        over, lost = flights.renew()
        self._ends.append(away[over & ~lost])
        self._lost += int(lost.sum())
        memory = torch.where(over[:, None], self._policy.begin(len(over)), self._memory)
        cost, memory = window(self._step, flights, memory, steps, generator)
        self._memory = memory.detach()
        mean = finite_mean(cost)
        self._costs.append(float(mean.detach()))
        return mean

    def tell(self) -> dict[str, float]:
        """Of the windows since it was last asked: mean `cost`; share `lost` of the flights that ended; `median_m` and
        `worst_m` distance of the others, if there are any."""
        far, costs, lost = torch.cat(self._ends), self._costs, self._lost
        self._ends, self._costs, self._lost = [], [], 0
        found = {"cost": sum(costs) / len(costs), "lost": lost / max(1, lost + len(far))}
        return found | ({"median_m": float(far.median()), "worst_m": float(far.max())} if len(far) else {})
