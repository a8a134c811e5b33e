"""A chunked policy whose overlapping chunks are averaged: what was planned earlier still has a say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from burnish.contract import ACTION
from burnish.policies.base import Policy
from burnish.policies.chunks import ChunkAgent

SELDOM = 0.05
"""A switch may be seen on its way."""


class Overlapping(Protocol):
    """What the agent asks of its policy beyond what every policy gives."""

    def plan(self, obs: Mapping[str, Tensor], noise: Tensor, first: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Chunks (B, H, A) and their intents (B, C); `first` (B,): the code of an intent to follow, or −1."""
        ...

    def weights(self, intents: Tensor, ages: Tensor) -> Tensor:
        """How much each of K chunks counts, of intents (B, K, C) and ages (K,) in steps: (B, K)."""
        ...


class OverlapAgent(ChunkAgent):
    """Plays means over the newest chunk and those before it that reach as far (ACT, arXiv 2304.13705, section 4)."""

    def __init__(self, policy: Policy, lanes: int, *, replan: int | None = None, intents: Tensor | None = None) -> None:
        """`intents` (T,): codes to follow from the first step of each episode on; after them the policy's own."""
        super().__init__(policy, lanes, replan=replan)
        self._shown = intents
        self._planner: Overlapping = policy  # pyright: ignore[reportAttributeAccessIssue]
        self._kept = -(-policy.horizon // self.replan)
        self._switches = switches(policy.stats[ACTION]).to(self._device)
        self._chunks: Tensor | None = None
        self._intents: Tensor | None = None
        self._count = torch.zeros(lanes, dtype=torch.long, device=self._device)

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Forget the chunks of the last episode."""
        super().reset(lanes, seeds)
        self._count[list(lanes)] = 0

    def _plan(self, obs: Mapping[str, Tensor], due: Tensor) -> Tensor:
        chunk, intent = self._planner.plan(obs, self._draw(due), self._follow())
        if self._chunks is None or self._intents is None:
            self._chunks = chunk[:, None].repeat(1, self._kept, 1, 1)
            self._intents = intent[:, None].repeat(1, self._kept, 1)
        # The newest first; a lane that does not plan keeps what it has.
        chunks = torch.cat([chunk[:, None], self._chunks[:, :-1]], dim=1)
        intents = torch.cat([intent[:, None], self._intents[:, :-1]], dim=1)
        self._chunks = torch.where(due[:, None, None, None], chunks, self._chunks)
        self._intents = torch.where(due[:, None, None], intents, self._intents)
        self._count = torch.where(due, self._count + 1, self._count)
        return self._mean(chunk, self._chunks, self._intents)

    def _follow(self) -> Tensor | None:
        """The shown code of each lane at its step, −1 after the last; None where nothing is shown."""
        if self._shown is None:
            return None
        step = self._count * self.replan
        shown = self._shown.to(self._device)
        return torch.where(step < len(shown), shown[step.clamp(max=len(shown) - 1)], -1)

    def _mean(self, newest: Tensor, chunks: Tensor, intents: Tensor) -> Tensor:
        """The newest chunks, with weighted means in place of whatever is no switch."""
        ages = torch.arange(self._kept, device=self._device)
        weights = self._planner.weights(intents, ages * self.replan) * (ages < self._count[:, None])
        total, mass = torch.zeros_like(newest), torch.zeros_like(newest[:, :, :1])
        for age in range(self._kept):
            ahead = chunks[:, age, age * self.replan :]
            total[:, : ahead.shape[1]] += weights[:, age, None, None] * ahead
            mass[:, : ahead.shape[1]] += weights[:, age, None, None]
        return torch.where(self._switches, newest, total / mass)


def switches(stats: Mapping[str, np.ndarray]) -> Tensor:
    """(A,) bool: actions that were only ever demonstrated at their two extremes, such as a gripper's open and close.

    Half way between the two nobody meant, so plans that disagree are not averaged there. x ∈ {a, b} always makes
    E (x − a)(x − b) = 0; anything in between makes it negative, −(b − a)²/4 at most.
    """
    low, high, mean, std = (torch.from_numpy(np.asarray(stats[name])) for name in ("min", "max", "mean", "std"))
    between = -(std.square() + mean.square() - (low + high) * mean + low * high)
    return (high > low) & (between < SELDOM * (high - low).square() / 4)
