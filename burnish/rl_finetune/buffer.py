"""Replay of n-step transitions, one packed row each, so that drawing a batch is one `index_select`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Transitions(NamedTuple):
    """n-step transitions, network units; every tensor has the batch first.

    The target of Q(obs, action) is `reward + discount · Q(next_obs, next action)`, where the next action is the base
    policy's `next_base` plus the residual; `discount` is γⁿ, and 0 where nothing came after.
    """

    obs: Tensor
    base: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_obs: Tensor
    next_base: Tensor
    episode: Tensor
    """Number of the episode, to look up later whether it succeeded."""


class Replay:
    """A ring of packed transitions (float32, pre-allocated; `capacity` rows)."""

    def __init__(self, capacity: int, obs_dim: int, action_dim: int) -> None:
        self._widths = [obs_dim, action_dim, action_dim, 1, 1, obs_dim, action_dim, 1]
        self.rows = torch.zeros(capacity, sum(self._widths))
        self.added = 0
        """Rows ever added; the ring holds the last `capacity` of them."""

    def __len__(self) -> int:
        return min(self.added, len(self.rows))

    def add(self, new: Transitions) -> None:
        """Append transitions, overwriting the oldest when full."""
        rows = torch.cat([(part if part.ndim == 2 else part[:, None]).float() for part in new], dim=1)
        where = (self.added + torch.arange(len(rows))) % len(self.rows)
        self.rows[where] = rows
        self.added += len(rows)

    @property
    def episodes(self) -> Tensor:
        """Episode number (len(self),) of every row."""
        return self.rows[: len(self), -1].long()

    def sample(self, count: int, generator: torch.Generator, among: Tensor | None = None) -> Tensor:
        """`count` packed rows, uniformly with replacement from all or from rows `among`; `unpack` names their parts."""
        picked = torch.randint(len(self) if among is None else len(among), (count,), generator=generator)
        return self.rows.index_select(0, picked if among is None else among[picked])

    def unpack(self, rows: Tensor) -> Transitions:
        """Views of packed rows (B, width)."""
        obs, base, action, reward, discount, next_obs, next_base, episode = rows.split(self._widths, dim=1)
        return Transitions(obs, base, action, reward[:, 0], discount[:, 0], next_obs, next_base, episode[:, 0].long())


@dataclass(frozen=True)
class _Moment:
    obs: Tensor
    base: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    episode: Tensor


class NStep:
    """Turns the steps of N lanes into n-step transitions.

    A window never crosses an episode: success, or a crash, ends it with discount 0. At the horizon it is cut short and
    bootstraps from the last state the base policy was asked about, since no base action exists for the state after it.
    """

    def __init__(self, steps: int, gamma: float) -> None:
        self.steps, self.gamma = steps, gamma
        self._window: deque[_Moment] = deque()

    def push(
        self,
        obs: Tensor,
        base: Tensor,
        action: Tensor,
        reward: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        episode: Tensor,
    ) -> Transitions | None:
        """One step of every lane (N rows each); returns the transitions that became complete, if any."""
        complete = self._complete(obs, base) if len(self._window) == self.steps else None
        if complete is not None:
            self._window.popleft()
        self._window.append(_Moment(obs, base, action, reward, terminated, truncated, episode))
        return complete

    def flush(self) -> Iterator[Transitions]:
        """The transitions still in the window, of lanes whose episodes are all over."""
        for _ in range(len(self._window)):
            last = self._window[-1]
            yield self._complete(last.obs, last.base)
            self._window.popleft()

    def _complete(self, obs: Tensor, base: Tensor) -> Transitions:
        first = self._window[0]
        reward, discount = torch.zeros_like(first.reward), torch.full_like(first.reward, self.gamma**self.steps)
        next_obs, next_base = obs, base
        running = torch.ones_like(first.terminated)
        usable = torch.ones_like(first.terminated)
        for k, moment in enumerate(self._window):
            cut = running & moment.truncated & ~moment.terminated
            reward = reward + running * (self.gamma**k * moment.reward)
            discount = torch.where(running & moment.terminated, 0.0, torch.where(cut, self.gamma**k, discount))
            next_obs = torch.where(cut[:, None], moment.obs, next_obs)
            next_base = torch.where(cut[:, None], moment.base, next_base)
            if k == 0:
                usable = ~cut
            running = running & ~(moment.terminated | moment.truncated)
        rows = (first.obs, first.base, first.action, reward, discount, next_obs, next_base, first.episode)
        return Transitions(*(part[usable] for part in rows))
