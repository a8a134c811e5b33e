"""A frozen base acting in every lane with something added to its actions: where residual RL's experience comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from burnish.contract import ACTION
from burnish.policies.residual import ResidualPolicy
from burnish.rl_finetune.arena import Exploration, Played
from burnish.rl_finetune.buffer import NStep
from burnish.rl_finetune.clock import Clock
from burnish.sim.base import VecEnv, next_seed, with_looks
from burnish.sim.nonfinite import keep_observations


class Rollout:
    """A `Collector` that steps `env` (auto-reset): one step of every lane at each call."""

    def __init__(
        self,
        pair: ResidualPolicy,
        env: VecEnv,
        exploration: Exploration,
        generator: torch.Generator,
        clock: Clock,
        folder: Path | None,
    ) -> None:
        self.pair, self.env, self.exploration, self.generator = pair, env, exploration, generator
        self.clock, self.folder = clock, folder
        self.num_envs = self.most = env.num_envs
        self.windows = NStep(exploration.n_step, exploration.gamma)
        self.base = pair.base.agent(env.num_envs)
        self.noise = exploration.noise * (torch.arange(env.num_envs) + 1)[:, None] / env.num_envs

    def begin(self, first: int) -> None:
        """See `Collector`."""
        seed = int(torch.randint(2**31, (), generator=self.generator))
        self.seeds = [next_seed(seed + lane) for lane in range(self.num_envs)]
        self.obs = self.env.reset(self.seeds)
        self.base.reset(range(self.num_envs), self.seeds)
        self.episode, self.episodes = torch.zeros(self.num_envs), first
        self.windows = NStep(self.exploration.n_step, self.exploration.gamma)
        self._number(range(self.num_envs))
        self.drift = torch.randn(self.num_envs, self.pair.network.outputs, generator=self.generator)

    def collect(self, actor: Tensor, version: int, *, warm_up: bool) -> Played:
        """See `Collector`."""
        with keep_observations(self.obs, self.folder):
            with self.clock.measure("inference"):
                condition = self.pair.encode_state(self.obs)
                seen = with_looks(self.obs, self.env, self.base)
                base = self.pair.normalizer.normalize(ACTION, self.base.act(seen))
                action = self.pair.reach.add(base, self.explore(actor, condition, base, warm_up))
            with self.clock.measure("environment"):
                step = self.env.step(self.pair.normalizer.action(action))
        over = step.terminated | step.crashed
        complete = self.windows.push(condition, base, action, step.reward, over, step.truncated, self.episode.clone())
        self.obs = step.obs
        lanes = step.done.nonzero().flatten()
        ended = torch.stack([self.episode[lanes], step.terminated[lanes].float()], dim=1)
        self._restart(lanes.tolist())
        return Played(complete, ended, self.num_envs, version)

    def explore(self, actor: Tensor, condition: Tensor, base: Tensor, warm_up: bool) -> Tensor:
        """What is added to `base` (N, A), as a share of the largest correction: the actor's and noise; uniform noise
        alone during the warm-up."""
        chosen = self.exploration
        if warm_up:
            return (torch.rand(base.shape, generator=self.generator) * 2 - 1) * chosen.warmup_scale
        fresh = torch.randn(base.shape, generator=self.generator)
        self.drift = chosen.memory * self.drift + math.sqrt(1 - chosen.memory**2) * fresh
        return self.pair.share(actor, condition, base) + self.noise * self.drift

    def _restart(self, lanes: list[int]) -> None:
        for lane in lanes:
            self.seeds[lane] = next_seed(self.seeds[lane])
        self._number(lanes)
        self.base.reset(lanes, [self.seeds[lane] for lane in lanes])

    def _number(self, lanes: Iterable[int]) -> None:
        for lane in lanes:
            self.episode[lane] = self.episodes
            self.episodes += 1
