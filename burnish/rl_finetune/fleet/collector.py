"""Experience as a stream, from workers that never wait unless somebody falls behind."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import ray
import torch
from torch import Tensor

from burnish.policies.residual import ResidualPolicy
from burnish.rl_finetune.arena import Exploration, Played
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.fleet.fleet import Done, Member
from burnish.rl_finetune.fleet.wire import unpack_played

if TYPE_CHECKING:
    from burnish.rl_finetune.fleet.arena import RayArena


class _Sent(NamedTuple):
    """A reference to weights, how often they had been updated, and in which round that was."""

    weights: Any
    version: int
    round: int


class RayCollector:
    """A `Collector`: every worker plays all the time. Weights are sent out once a round, to every machine one copy."""

    def __init__(
        self,
        arena: RayArena,
        pair: ResidualPolicy,
        exploration: Exploration,
        generator: torch.Generator,
        clock: Clock,
    ) -> None:
        self._arena, self._pair, self._exploration = arena, pair, exploration
        self._generator, self._clock = generator, clock
        self.num_envs, self.most = arena.lanes * arena.workers, arena.lanes * arena.cfg.steps
        self._pieces = 0
        """Of work that were handed on."""

    @property
    def _round(self) -> int:
        return self._pieces // self._arena.workers

    def begin(self, first: int) -> None:
        """See `Collector`."""
        self._fleet = self._arena.hire(self._pair, self._generator, "begin_rollout", self._exploration)
        self._numbers: dict[tuple[int, int], int] = {}
        self._first = first
        self._arrived: deque[Played] = deque()
        self._sent = _Sent(None, 0, -1)

    def collect(self, actor: Tensor, version: int, *, warm_up: bool) -> Played:
        """See `Collector`; of one worker, in the order in which they are finished."""
        with self._clock.measure("environment"):
            if self._round > self._sent.round:
                self._sent = _Sent(ray.put(actor.detach().numpy()), version, self._round)
            while True:
                self._hand_out(warm_up)
                if self._arrived and not self._behind():
                    self._pieces += 1
                    return self._arrived.popleft()
                found = self._fleet.wait()
                if isinstance(found, Done):
                    played = unpack_played(found.result, found.work.version)
                    self._arrived.append(self._renumbered(found.member, played))

    def _hand_out(self, warm_up: bool) -> None:
        if self._behind():
            return  # the quick ones wait for the slow
        for member in self._fleet.idle():
            answer = member.actor.collect.remote(self._sent.weights, self._arena.cfg.steps, warm_up)
            self._fleet.give(member, self._sent, answer)

    def _behind(self) -> bool:
        """Whether somebody plays with weights that are as old as they may be."""
        return any(self._round - one.work.round > self._arena.cfg.staleness for one in self._fleet.busy)

    def _renumbered(self, member: Member, played: Played) -> Played:
        """With numbers of episodes that no other worker gives."""

        def number(local: Tensor) -> Tensor:
            own, place = local.long().unique(return_inverse=True)  # a piece of work is of few episodes
            keys = [(member.number, one) for one in own.tolist()]
            for key in keys:
                self._numbers.setdefault(key, self._first + len(self._numbers))
            return torch.tensor([float(self._numbers[key]) for key in keys])[place]

        ended = torch.stack([number(played.ended[:, 0]), played.ended[:, 1]], dim=1)
        if played.transitions is None:
            return played._replace(ended=ended)
        numbers = number(played.transitions.episode)
        return played._replace(ended=ended, transitions=played.transitions._replace(episode=numbers))
