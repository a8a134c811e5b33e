"""Whole episodes of a chain of draws: many starts, several lanes, nothing stepped that has ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from burnish.errors import NonFiniteError
from burnish.policies.trace import ActionTrace, Chain
from burnish.rl_finetune.clock import Clock
from burnish.sim.base import Obs, VecEnv


class Start(NamedTuple):
    """An episode to be played: seeds of the environment's start and of the policy's draws."""

    seed: int
    noise: int


@dataclass
class Episode:
    """What a policy decided in one episode, D times; each decision's actions were executed for `replan` steps.

    Attributes:
        obs: contract key → (D, *shape) at each decision.
        trace: the draws (D, …).
        reward: (D,) the sum over a decision's steps.
        steps: (D,) environment steps of each decision.
        last: contract key → (1, *shape) after the last step.
        frames: (D, size, size, 3) uint8 at each decision, if they were asked for; else none, (0, …).
    """

    obs: Mapping[str, Tensor]
    trace: ActionTrace
    reward: Tensor
    steps: Tensor
    success: bool
    last: Mapping[str, Tensor]
    frames: Tensor

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def length(self) -> int:
        """Environment steps."""
        return int(self.steps.sum())


@dataclass
class _Lane:
    """An episode under way."""

    number: int
    noise: torch.Generator
    obs: list[Obs] = field(default_factory=list)
    traces: list[ActionTrace] = field(default_factory=list)
    reward: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    frames: list[Tensor] = field(default_factory=list)


class Player:
    """Plays episodes in the lanes of `env`, which does not reset itself; a lane that is free takes the next start."""

    def __init__(self, chain: Chain, env: VecEnv, clock: Clock, *, replan: int | None = None) -> None:
        self.chain, self.env, self.clock = chain, env, clock
        self.replan = min(chain.policy.replan if replan is None else replan, chain.policy.horizon)
        self.env_steps = 0
        self.film = 0
        """Pixels per side of the frames that are kept of each decision; 0: none are rendered."""

    @torch.no_grad()
    def play(self, starts: Sequence[Start]) -> list[Episode]:
        """One episode per start, in their order, each to its end.

        All lanes plan at the same time, every `replan` steps: a lane that is free waits for that, some steps, since a
        plan for one costs as much as one for all.
        """
        waiting, running = deque(enumerate(starts)), dict[int, _Lane]()
        played: dict[int, Episode] = {}
        action = torch.zeros(self.env.num_envs, self.chain.policy.contract.action.shape[-1])
        chunk = torch.zeros(self.env.num_envs, self.chain.policy.horizon, action.shape[1])
        obs: Obs = {}
        while waiting or running:
            with self.clock.measure("environment"):
                obs = self._fill(waiting, running, starts, obs)
            with self.clock.measure("inference"):
                self._plan(running, obs, chunk)
            for index in range(self.replan):
                if not running:
                    break
                obs = self._step(running, action.copy_(chunk[:, index]), played)
        return [played[number] for number in range(len(starts))]

    def _step(self, running: dict[int, _Lane], action: Tensor, played: dict[int, Episode]) -> Obs:
        """One step of the lanes that are `running`; what has ended moves to `played`."""
        with self.clock.measure("environment"):
            step = self.env.step(action, ids=list(running))
        self.env_steps += len(running)
        for lane, one in list(running.items()):
            one.steps[-1] += 1
            one.reward[-1] += float(step.reward[lane])
            if step.done[lane]:
                played[one.number] = _finish(one, bool(step.terminated[lane]), _row(step.info["final_obs"], lane))
                del running[lane]
        return step.obs

    def _fill(self, waiting: deque, running: dict[int, _Lane], starts: Sequence[Start], obs: Obs) -> Obs:
        free = [lane for lane in range(self.env.num_envs) if lane not in running][: len(waiting)]
        if not free:
            return obs
        for lane in free:
            number, start = waiting.popleft()
            running[lane] = _Lane(number, torch.Generator().manual_seed(start.noise))
        return self.env.reset([starts[running[lane].number].seed for lane in free], free)

    def _plan(self, running: dict[int, _Lane], obs: Obs, chunk: Tensor) -> None:
        """Draw new chunks (N, H, A), physical units, in all lanes that are running."""
        due = list(running)
        seen = obs | self.env.look(due) if self.chain.policy.contract.looks else obs
        rows = {key: seen[key][due] for key in self.chain.policy.contract.observation}
        noise = torch.stack([torch.randn(self.chain.noise_shape, generator=running[lane].noise) for lane in due])
        trace = self.chain.draw(rows, noise)
        if not torch.isfinite(trace.chunk).all():
            raise NonFiniteError(f"policy {self.chain.policy.name!r} drew a NaN or infinite action while refined")
        chunk[due] = self.chain.policy.normalizer.action(trace.chunk)
        for index, lane in enumerate(due):
            one = running[lane]
            one.obs.append(_row(rows, index))
            one.traces.append(ActionTrace(*(part[index : index + 1] for part in trace)))
            one.steps.append(0)
            one.reward.append(0.0)
        if self.film:
            for lane, frame in zip(due, self.env.render(due, self.film), strict=True):
                running[lane].frames.append(frame)


def _row(obs: Mapping[str, Tensor], lane: int) -> dict[str, Tensor]:
    return {key: value[lane : lane + 1].clone() for key, value in obs.items()}


def _finish(one: _Lane, success: bool, last: Mapping[str, Tensor]) -> Episode:
    obs = {key: torch.cat([each[key] for each in one.obs]) for key in one.obs[0]}
    trace = ActionTrace(*(torch.cat(parts) for parts in zip(*one.traces, strict=True)))
    frames = torch.stack(one.frames) if one.frames else torch.zeros(0, 0, 0, 3, dtype=torch.uint8)
    return Episode(obs, trace, torch.tensor(one.reward), torch.tensor(one.steps), success, last, frames)
