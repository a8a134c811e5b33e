"""Where refinement plays: the seam between an algorithm and the lanes that feed it, here or on other machines.

An algorithm asks for a `Collector` (experience as a stream, for off-policy learning) or a `Player` (whole episodes, for
likelihood); `LocalArena` steps an environment in this process, `burnish.rl_finetune.fleet` has workers do it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from burnish.policies.residual import ResidualPolicy
from burnish.policies.trace import Chain, NoiseConfig
from burnish.rl_finetune.buffer import Transitions
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.episodes import EpisodePlayer
from burnish.sim.base import VecEnv


@dataclass(frozen=True)
class Exploration:
    """How residual RL tries what it does not know (`burnish.rl_finetune.residual`); noise is a share of the largest
    correction.

    Attributes:
        warmup_scale: of the uniform noise that stands for the correction during the warm-up.
        noise: the largest one; lane i of N has noise · (i + 1) / N.
        memory: share of the noise that stays from one step to the next.
        n_step, gamma: of the transitions.
    """

    warmup_scale: float
    noise: float
    memory: float
    n_step: int
    gamma: float


class Played(NamedTuple):
    """What some lanes did.

    Attributes:
        transitions: those that became complete; None without any.
        ended: (E, 2) number of each episode that ended, and 1 if it did in success.
        env_steps: over all lanes.
        version: of the correction it was played with, as `collect` was told.
    """

    transitions: Transitions | None
    ended: Tensor
    env_steps: int
    version: int


class Collector(Protocol):
    """A frozen base with a correction, playing all the time.

    Attributes:
        num_envs: lanes, over all workers.
        most: environment steps that one call of `collect` may tell of.
    """

    num_envs: int
    most: int

    def begin(self, first: int) -> None:
        """Start new episodes, numbered from `first` on; those under way are forgotten."""
        ...

    def collect(self, actor: Tensor, version: int, *, warm_up: bool) -> Played:
        """What was played since the last call: every step of every lane appears once, in its lane's order.

        Args:
            actor: flat weights of the correction as they are now; they may reach the lanes later, within a bound.
            version: how often they were updated.
            warm_up: whether noise alone is to correct the base.
        Raises `NonFiniteError` if an action is NaN or infinite, `BurnishError` when nobody can play any more.
        """
        ...


class Arena(ABC):
    """Lanes of one task.

    Attributes:
        max_episode_steps: of one episode.
    """

    max_episode_steps: int

    @abstractmethod
    def collector(
        self, pair: ResidualPolicy, exploration: Exploration, generator: torch.Generator, clock: Clock, folder: Path
    ) -> Collector:
        """Collects with `pair`. Its randomness comes from `generator`; what a NaN was made of is kept in `folder`."""

    @abstractmethod
    def player(self, chain: Chain, noise: NoiseConfig, clock: Clock, replan: int | None) -> EpisodePlayer:
        """Plays episodes with `chain`, which was made with `noise`, always as its weights are then."""

    def report(self) -> dict[str, Any]:
        """What belongs in the result besides success: nothing, unless there was something to tell."""
        return {}


class LocalArena(Arena):
    """The lanes of an environment in this process."""

    def __init__(self, env: VecEnv) -> None:
        self.env, self.max_episode_steps = env, env.max_episode_steps

    def collector(
        self, pair: ResidualPolicy, exploration: Exploration, generator: torch.Generator, clock: Clock, folder: Path
    ) -> Collector:
        """See `Arena`."""
        from burnish.rl_finetune.rollout import Rollout

        return Rollout(pair, self.env, exploration, generator, clock, folder)

    def player(self, chain: Chain, noise: NoiseConfig, clock: Clock, replan: int | None) -> EpisodePlayer:
        """See `Arena`."""
        from burnish.rl_finetune.episodes import Player

        return Player(chain, self.env, clock, replan=replan)


def arena(env: VecEnv | Arena) -> Arena:
    """`env` as an algorithm is given it, a place to play."""
    return env if isinstance(env, Arena) else LocalArena(env)
