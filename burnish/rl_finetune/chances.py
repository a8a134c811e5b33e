"""How likely an episode is to succeed from where it stands: a value without a critic.

Success is fitted by least squares to six numbers of each decision: how far it still is from success, how much time has
passed, their squares and their product. So few are found by one round of episodes, where a network would need many.
"""

from __future__ import annotations

import torch
from torch import Tensor

KEPT, RIDGE = 0.5, 1e-3
"""What a round counts once the next one is known, and the share by which weights are drawn to 0."""
DECISIONS = 50.0
"""A unit of time, so that no feature is much larger than another."""


class Chances:
    """Learned from rounds of episodes, the last one most."""

    def __init__(self) -> None:
        count = features(torch.ones(1)).shape[1]
        self.square, self.product = torch.zeros(count, count), torch.zeros(count)

    def learn(self, seen: Tensor, success: Tensor) -> None:
        """From the features (D, 6) of a round's decisions and whether their episodes succeeded (D,)."""
        self.square = KEPT * self.square + seen.T @ seen / len(seen)
        self.product = KEPT * self.product + seen.T @ success / len(seen)

    def __call__(self, seen: Tensor) -> Tensor:
        """(D,) between 0 and 1."""
        weights = torch.linalg.solve(self.square + RIDGE * torch.eye(len(self.square)), self.product)
        return (seen @ weights).clamp(0.0, 1.0)


def features(distance: Tensor) -> Tensor:
    """(N, 6) of one episode's distances d̂ (N,) to success, one per decision; more than twice its first counts as so."""
    distance = distance.clamp(0.0, 2.0)
    time = torch.arange(len(distance)) / DECISIONS
    return torch.stack([torch.ones_like(distance), distance, distance**2, time, time**2, distance * time], 1)
