"""Agents that need no training, to see that everything around a policy works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from burnish.contract import Contract
from burnish.errors import ContractError


class ZeroAgent:
    """Commands nothing."""

    def __init__(self, contract: Contract, lanes: int) -> None:
        self._action = torch.zeros(lanes, contract.action.shape[-1])

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Nothing to forget."""

    def looks(self) -> list[int]:
        """It is blind."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Zeros (N, A)."""
        return self._action.clone()


class RandomAgent:
    """Uniform actions within the contract's bounds, drawn per lane. Raises `ContractError` where there are none."""

    def __init__(self, contract: Contract, lanes: int) -> None:
        if contract.action.low is None or contract.action.high is None:
            raise ContractError("a random agent needs actions with bounds; this contract's action has none")
        self._low, self._high = torch.tensor(contract.action.low), torch.tensor(contract.action.high)
        self._noise = [torch.Generator() for _ in range(lanes)]

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Reseed the noise of `lanes`."""
        for lane, seed in zip(lanes, seeds, strict=True):
            self._noise[lane].manual_seed(seed)

    def looks(self) -> list[int]:
        """It is blind."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Uniform (N, A), physical units."""
        share = torch.stack([torch.rand(self._low.shape, generator=noise) for noise in self._noise])
        return self._low + share * (self._high - self._low)


class ReplayAgent:
    """Plays one demonstration again, whatever it sees, and holds its last action after its end."""

    def __init__(self, actions: Tensor, lanes: int) -> None:
        """`actions`: (T, A), physical units."""
        self._actions, self._step = actions, torch.zeros(lanes, dtype=torch.long)

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """From the first action on."""
        self._step[list(lanes)] = 0

    def looks(self) -> list[int]:
        """It is blind."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """The recorded actions (N, A)."""
        action = self._actions[self._step.clamp(max=len(self._actions) - 1)]
        self._step += 1
        return action
