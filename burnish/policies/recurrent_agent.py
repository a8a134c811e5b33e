"""A recurrent policy acting closed-loop: a memory per lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from burnish.errors import NonFiniteError
from burnish.policies.recurrent import Recurrent


class RecurrentAgent:
    """Acts anew at every step."""

    def __init__(self, policy: Recurrent, lanes: int) -> None:
        self.policy, self.lanes = policy, lanes
        with torch.no_grad():
            self._memory = policy.begin(lanes).clone()

    @torch.no_grad()
    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Forget what `lanes` moved: the next episode may be with something else."""
        self._memory[list(lanes)] = self.policy.begin(len(lanes))

    def looks(self) -> list[int]:
        """It reads numbers alone."""
        return []

    @torch.no_grad()
    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Next action of every lane (N, A), physical units. Raises `NonFiniteError` that names the lane."""
        action, self._memory = self.policy.go_on(obs, self._memory)
        bad = ~torch.isfinite(action).all(dim=1)
        if bad.any():
            raise NonFiniteError(
                f"policy {self.policy.name!r} chose a NaN or infinite action in lane {int(bad.nonzero()[0])}"
            )
        return action
