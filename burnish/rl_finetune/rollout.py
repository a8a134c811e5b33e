"""A frozen base acting in every lane with something added to its actions: where residual RL's experience comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from burnish.contract import ACTION
from burnish.policies.residual import ResidualPolicy
from burnish.rl_finetune.buffer import NStep, Transitions
from burnish.rl_finetune.clock import Clock
from burnish.sim.base import VecEnv, next_seed, with_looks


class Rollout:
    """Steps `env` (auto-reset) and remembers which episodes succeeded; episode number 0 stands for demonstrations.

    Args:
        room: most environment steps this rollout will take.
    """

    def __init__(
        self, pair: ResidualPolicy, env: VecEnv, windows: NStep, generator: torch.Generator, *, room: int
    ) -> None:
        self.pair, self.env, self.windows, self.generator = pair, env, windows, generator
        self.normalizer = pair.normalizer
        self.base = pair.base.agent(env.num_envs)
        self.outcomes: list[float] = []
        self.succeeded = torch.zeros(room + env.num_envs)
        """1 for each episode number that ended in success."""
        self.succeeded[0] = 1.0
        self.episodes = 1

    @property
    def recent_success(self) -> float | None:
        """Success rate of the last 100 episodes; None in the first ones, of which only the quick successes are over."""
        recent = self.outcomes[-100:]
        if len(recent) < 100 and self.steps < self.env.max_episode_steps:
            return None
        return sum(recent) / max(len(recent), 1)

    def begin(self) -> None:
        """Start a new episode in every lane; episodes under way are forgotten."""
        first = int(torch.randint(2**31, (), generator=self.generator))
        self.seeds = [next_seed(first + lane) for lane in range(self.env.num_envs)]
        self.obs = self.env.reset(self.seeds)
        self.base.reset(range(self.env.num_envs), self.seeds)
        self.episode = torch.zeros(self.env.num_envs)
        self.steps = 0
        """Steps of every lane since `begin`."""
        self._number(range(self.env.num_envs))

    def step(self, residual: Callable[[Tensor, Tensor], Tensor], clock: Clock) -> Transitions | None:
        """One step in every lane; returns the n-step transitions that became complete, if any.

        Args:
            residual: normalised observations (N, C) and base actions (N, A) → what is added (N, A); network units.
            clock: told how long inference and environment took.
        """
        with clock.measure("inference"):
            condition = self.pair.encode_state(self.obs)
            seen = with_looks(self.obs, self.env, self.base)
            base = self.normalizer.normalize(ACTION, self.base.act(seen))
            action = (base + residual(condition, base)).clamp(-1.0, 1.0)
        with clock.measure("environment"):
            step = self.env.step(self.normalizer.action(action))
        complete = self.windows.push(
            condition, base, action, step.reward, step.terminated, step.truncated, self.episode.clone()
        )
        self.obs = step.obs
        self.steps += 1
        self._restart(step.done.nonzero().flatten().tolist(), step.terminated)
        return complete

    def _restart(self, lanes: list[int], success: Tensor) -> None:
        for lane in lanes:
            self.seeds[lane] = next_seed(self.seeds[lane])
            self.outcomes.append(float(success[lane]))
            self.succeeded[int(self.episode[lane])] = float(success[lane])
        self._number(lanes)
        self.base.reset(lanes, [self.seeds[lane] for lane in lanes])

    def _number(self, lanes: Iterable[int]) -> None:
        for lane in lanes:
            self.episode[lane] = self.episodes
            self.episodes += 1
