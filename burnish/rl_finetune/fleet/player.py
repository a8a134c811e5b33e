"""Whole episodes, shared out among workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ray
import torch

from burnish.policies.trace import Chain, NoiseConfig
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.episodes import Episode, Start
from burnish.rl_finetune.fleet.fleet import Done, Lost, spread
from burnish.rl_finetune.fleet.wire import arrays, unpack_episode

if TYPE_CHECKING:
    from burnish.rl_finetune.fleet.arena import RayArena


class RayPlayer:
    """An `EpisodePlayer`: the starts are shared out; those of a worker that is lost are played by another."""

    def __init__(self, arena: RayArena, chain: Chain, noise: NoiseConfig, clock: Clock, replan: int | None) -> None:
        policy = chain.policy
        self.replan = min(policy.replan if replan is None else replan, policy.horizon)
        self.env_steps, self.film = 0, 0
        self._chain, self._clock, self._lanes, self._workers = chain, clock, arena.lanes, arena.workers
        generator = torch.Generator().manual_seed(0)  # episodes have seeds of their own
        self._fleet = arena.hire(policy, generator, "begin_episodes", noise, replan)

    def play(self, starts: Sequence[Start]) -> list[Episode]:
        """See `EpisodePlayer`."""
        with self._clock.measure("environment"):
            weights = ray.put(arrays(self._chain.state_dict()))
            share = -(-len(starts) // self._workers)
            waiting = deque(spread(range(len(starts)), max(1, min(share, self._lanes))))
            played: dict[int, Episode] = {}
            while len(played) < len(starts):
                for member in self._fleet.idle()[: len(waiting)]:
                    work = waiting.popleft()
                    told = [tuple(starts[number]) for number in work]
                    self._fleet.give(member, work, member.actor.play.remote(weights, told, self.film))
                found = self._fleet.wait()
                if isinstance(found, Lost) and found.work is not None:
                    waiting.appendleft(found.work)
                elif isinstance(found, Done):
                    for number, one in zip(found.work, found.result, strict=True):
                        played[number] = unpack_episode(one)
                        self.env_steps += played[number].length
            return [played[number] for number in range(len(starts))]
