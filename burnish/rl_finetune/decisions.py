"""Decisions as off-policy data: the state, the actions of a chunk that were executed, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.contract import ACTION
from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.rl_finetune.episodes import Episode

_OBS = "obs/"


@dataclass
class Decisions:
    """M decisions, network units.

    Attributes:
        obs: contract key → (M, *shape), physical units: what was observed.
        state, next_state: (M, C) what a policy of numbers makes of it, and of what is observed at the next decision.
        action: (M, H, A) what was executed from there on; past the episode's end, its last action again.
        inside: (M, H) bool: which of them lie in the episode.
        reward: (M,) until the next decision; steps: (M,) until then.
        final: (M,) bool: the episode ended in success before the next decision.
        good: (M,) bool: the episode ended in success.
    """

    obs: Mapping[str, Tensor]
    state: Tensor
    action: Tensor
    inside: Tensor
    reward: Tensor
    steps: Tensor
    final: Tensor
    next_state: Tensor
    good: Tensor

    def __len__(self) -> int:
        return len(self.reward)

    def named(self) -> dict[str, Tensor]:
        """Every tensor, by name."""
        flat = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "obs"}
        return flat | {f"{_OBS}{key}": value for key, value in self.obs.items()}

    def rows(self, which: Tensor) -> Decisions:
        """Some of them."""
        return from_named({name: value[which] for name, value in self.named().items()})


def from_named(tensors: Mapping[str, Tensor]) -> Decisions:
    """What `Decisions.named` gave."""
    obs = {key.removeprefix(_OBS): value for key, value in tensors.items() if key.startswith(_OBS)}
    return Decisions(obs, **{key: value for key, value in tensors.items() if not key.startswith(_OBS)})


def joined(parts: Sequence[Decisions]) -> Decisions:
    """All of them, one after the other."""
    named = [part.named() for part in parts]
    return from_named({name: torch.cat([one[name] for one in named]) for name in named[0]})


def of_demonstrations(policy: Policy, demos: Demonstrations, replan: int) -> Decisions:
    """A decision at every frame of `demos`, the next one `replan` steps on. Raises `BurnishError` if there are none."""
    if not len(demos.action):
        raise BurnishError("the dataset holds no demonstrations: offline learning has nothing to learn from")
    every = {key: torch.from_numpy(value) for key, value in demos.obs.items()}
    with torch.no_grad():
        states = policy.encode_state(every)
        actions = policy.normalizer.normalize(ACTION, torch.from_numpy(demos.action)).clamp(-1, 1)
    parts = []
    for start, end in zip(demos.starts.tolist(), demos.ends.tolist(), strict=True):
        one, firsts = slice(start, end), torch.arange(end - start)
        ahead, inside = _ahead(actions[one], firsts, policy.horizon)
        ends = (firsts + replan).clamp(max=end - start)
        final = ends == end - start
        following = states[one][ends.clamp(max=end - start - 1)]
        obs = {key: value[one] for key, value in every.items()}
        kept = (states[one], ahead, inside, final.float(), ends - firsts, final, following, torch.ones_like(final))
        parts.append(Decisions(obs, *kept))
    return joined(parts)


def of_episodes(policy: Policy, episodes: Sequence[Episode]) -> Decisions:
    """The decisions that were made in `episodes`."""
    parts = []
    for one in episodes:
        with torch.no_grad():
            ends = policy.encode_state(one.last)
            states = torch.cat([policy.encode_state(one.obs), ends])
        executed = torch.cat([chunk[:count] for chunk, count in zip(one.trace.chunk, one.steps.tolist(), strict=True)])
        firsts = one.steps.cumsum(0) - one.steps
        ahead, inside = _ahead(executed.clamp(-1, 1), firsts, policy.horizon)
        final = torch.zeros(len(one), dtype=torch.bool)
        final[-1] = one.success
        good = torch.full((len(one),), one.success)
        kept = (states[:-1], ahead, inside, one.reward, one.steps, final, states[1:], good)
        parts.append(Decisions(one.obs, *kept))
    return joined(parts)


def _ahead(actions: Tensor, firsts: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
    index = firsts[:, None] + torch.arange(horizon)
    return actions[index.clamp(max=len(actions) - 1)], index < len(actions)
