"""A chunked policy acting closed-loop: one queue per lane, refilled every `replan` steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from burnish.errors import NonFiniteError
from burnish.policies.base import Policy


class ChunkAgent:
    """Plays `replan` actions of each chunk, then plans again.

    Every call plans for all lanes at one fixed batch size, so a lane's actions never depend on how many
    other lanes are still busy. Noise is drawn per lane from the seed of its episode.
    """

    def __init__(self, policy: Policy, lanes: int, *, replan: int | None = None) -> None:
        """`replan`: instead of the policy's own; at most its horizon."""
        self.policy, self.lanes = policy, lanes
        self.replan = policy.replan if replan is None else min(replan, policy.horizon)
        self._device = next(policy.parameters()).device
        self._chunk = torch.zeros(lanes, policy.horizon, policy.contract.action.shape[-1], device=self._device)
        self._cursor = torch.full((lanes,), self.replan, device=self._device)
        self._noise = [torch.Generator() for _ in range(lanes)]

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Empty the queues of `lanes`: an action planned in the last episode must never reach the next."""
        for lane, seed in zip(lanes, seeds, strict=True):
            self._cursor[lane] = self.replan
            self._noise[lane].manual_seed(seed)

    def looks(self) -> list[int]:
        """The lanes that plan next, if the policy reads images or points."""
        if not self.policy.contract.looks:
            return []
        return (self._cursor >= self.replan).nonzero().flatten().tolist()

    @torch.no_grad()
    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Next action of every lane (N, A), physical units. Raises `NonFiniteError` that names the lane."""
        due = self._cursor >= self.replan
        if due.any():
            chunk = self._plan(obs, due)
            self._check(chunk.flatten(1), due)
            self._chunk = torch.where(due[:, None, None], chunk, self._chunk)
            self._cursor = torch.where(due, 0, self._cursor)
        action = self._chunk[torch.arange(self.lanes, device=self._device), self._cursor]
        self._cursor = self._cursor + 1
        return action

    def _check(self, action: Tensor, due: Tensor) -> None:
        bad = ~torch.isfinite(action).all(dim=1) & due
        if bad.any():
            lane = int(bad.nonzero()[0])
            raise NonFiniteError(f"policy {self.policy.name!r} planned a NaN or infinite action in lane {lane}")

    def _plan(self, obs: Mapping[str, Tensor], due: Tensor) -> Tensor:
        """Chunks (N, H, A) of all lanes, of which those that are `due` (N,) count."""
        return self.policy.act(obs, self._draw(due))

    def _draw(self, due: Tensor) -> Tensor:
        shape = self.policy.noise_shape
        noise = torch.zeros(self.lanes, *shape)
        for lane in due.nonzero().flatten().tolist():
            noise[lane] = torch.randn(shape, generator=self._noise[lane])
        return noise.to(self._device)
