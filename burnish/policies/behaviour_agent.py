"""Behaviours acting closed-loop: a code now and then, and a decoder that acts on every observation between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import override

import torch
from torch import Tensor

from burnish.policies.base import Policy
from burnish.policies.behaviour import Behaviour
from burnish.policies.chunks import ChunkAgent
from burnish.policies.omnijarvis import OmniJarvis


class BehaviourAgent(ChunkAgent):
    """Plays `replan` steps of a behaviour, then chooses again; as it stands, always none.

    As its base, it computes for all lanes at every step, so that a lane never depends on how many others are busy.
    """

    def __init__(self, policy: Policy, behaviour: Behaviour, lanes: int, *, replan: int | None = None) -> None:
        """`policy` chooses what `behaviour` decodes."""
        super().__init__(policy, lanes, replan=replan)
        self._behaviour = behaviour
        self._seen = torch.zeros(lanes, behaviour.horizon, behaviour.state_dim, device=self._device)
        self._start = torch.zeros(lanes, behaviour.config.width, device=self._device)
        self._values = torch.zeros(lanes, len(behaviour.config.levels), device=self._device)
        self._known = torch.zeros(lanes, dtype=torch.bool, device=self._device)

    @override
    @torch.no_grad()
    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        due = self._cursor >= self.replan
        if due.any():
            start = self._behaviour.begun(self._behaviour.encode(obs))
            self._start = torch.where(due[:, None], start, self._start)
            values = self._choose(obs, due)
            if values is not None:
                self._values = torch.where(due[:, None], values, self._values)
                self._known = self._known | due
            self._cursor = torch.where(due, 0, self._cursor)
        here = torch.arange(self.lanes, device=self._device), self._cursor
        self._seen[here] = self._behaviour.normalizer.condition(obs)
        made = self._behaviour.decode(self._seen, self._start, self._values, self._known)[here]
        self._check(made, torch.ones_like(due))
        self._cursor = self._cursor + 1
        return self._behaviour.normalizer.action(made)

    def _choose(self, obs: Mapping[str, Tensor], due: Tensor) -> Tensor | None:
        """Codes (N, D) of all lanes, of which those that are `due` count; None acts without."""
        return None


class FollowingAgent(BehaviourAgent):
    """Plays the codes of the demonstration that belongs to an episode's seed; after the last one it keeps that."""

    def __init__(self, policy: Behaviour, shown: Mapping[int, Tensor], lanes: int) -> None:
        super().__init__(policy, policy, lanes)
        self._shown = shown
        self._codes = [torch.zeros(1, len(policy.config.levels), dtype=torch.long)] * lanes
        self._count = [0] * lanes

    @override
    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        super().reset(lanes, seeds)
        for lane, seed in zip(lanes, seeds, strict=True):
            self._codes[lane], self._count[lane] = self._shown[seed], 0

    @override
    def _choose(self, obs: Mapping[str, Tensor], due: Tensor) -> Tensor | None:
        digits = torch.stack([codes[min(n, len(codes) - 1)] for codes, n in zip(self._codes, self._count, strict=True)])
        for lane in due.nonzero().flatten().tolist():
            self._count[lane] += 1
        return self._behaviour.quantiser.values(digits.to(self._device))


class DecidingAgent(BehaviourAgent):
    """Decides by what it saw and chose at the last decisions of the episode, lane by lane."""

    def __init__(self, policy: OmniJarvis, lanes: int, *, replan: int | None = None) -> None:
        super().__init__(policy, policy.behaviour, lanes, replan=replan)
        self._decider = policy
        _, seen, _ = policy.split(torch.zeros(lanes, policy.condition_dim, device=self._device))
        self._past = torch.zeros(lanes, policy.decisions, seen.shape[1], device=self._device)
        self._words = torch.zeros(lanes, policy.decisions, policy.words, dtype=torch.long, device=self._device)
        self._count = torch.zeros(lanes, dtype=torch.long, device=self._device)

    @override
    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Forget the last episode."""
        super().reset(lanes, seeds)
        for part in (self._past, self._words, self._count):
            part[list(lanes)] = 0

    @override
    def _choose(self, obs: Mapping[str, Tensor], due: Tensor) -> Tensor | None:
        told, seen, _ = self._decider.split(self._decider.encode(obs))
        # When there is no room, the oldest decision is forgotten.
        full = (due & (self._count == self._decider.decisions))[:, None, None]
        past = torch.where(full, self._past.roll(-1, dims=1), self._past)
        words = torch.where(full, self._words.roll(-1, dims=1), self._words)
        place = self._count.clamp(max=self._decider.decisions - 1)
        here = torch.arange(self.lanes, device=self._device), place
        past[here] = seen
        words[here] = self._decider.decide(told, past, words, place, self._draw(due))
        self._past = torch.where(due[:, None, None], past, self._past)
        self._words = torch.where(due[:, None, None], words, self._words)
        self._count = torch.where(due, place + 1, self._count)
        return self._decider.values(words[here])
