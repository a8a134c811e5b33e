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

AT_ONCE = 16
"""Decisions for which a lane draws noise."""


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
    """An episode under way, or over."""

    number: int
    noise: torch.Generator
    rows: list[int] = field(default_factory=list)
    """Which of all decisions are its own."""
    reward: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    success: bool = False
    last: Mapping[str, Tensor] = field(default_factory=dict)
    _drawn: Tensor = field(default_factory=lambda: torch.zeros(0))

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """The noise of the next decision. Many are drawn at once, since one costs nearly as much."""
        place = len(self.rows) % AT_ONCE
        if place == 0:
            self._drawn = torch.randn((AT_ONCE, *shape), generator=self.noise)
        return self._drawn[place]


class _Record:
    """All decisions of all lanes, as they were made; taken apart at the end, which costs less than one by one."""

    def __init__(self) -> None:
        self.count = 0
        self._parts: list[tuple[Mapping[str, Tensor], ActionTrace, Tensor]] = []

    def add(self, obs: Mapping[str, Tensor], trace: ActionTrace, frames: Tensor) -> range:
        """Decisions made at once; their numbers."""
        self._parts.append((obs, trace, frames))
        first, self.count = self.count, self.count + len(trace.chunk)
        return range(first, self.count)

    def episodes(self, lanes: Sequence[_Lane]) -> list[Episode]:
        """Those of `lanes`, in order."""
        if not self._parts:
            return []
        every, traces, films = zip(*self._parts, strict=True)
        obs = {key: torch.cat([one[key] for one in every]) for key in every[0]}
        trace, frames = ActionTrace(*(torch.cat(parts) for parts in zip(*traces, strict=True))), torch.cat(films)
        found = []
        for one in lanes:
            own = torch.tensor(one.rows)
            part = {key: value[own] for key, value in obs.items()}
            drawn, film = ActionTrace(*(values[own] for values in trace)), frames[own] if len(frames) else frames
            counted = (torch.tensor(one.reward), torch.tensor(one.steps), one.success)
            found.append(Episode(part, drawn, *counted, one.last, film))
        return found


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
        played, record = dict[int, _Lane](), _Record()
        action = torch.zeros(self.env.num_envs, self.chain.policy.contract.action.shape[-1])
        chunk = torch.zeros(self.env.num_envs, self.chain.policy.horizon, action.shape[1])
        obs: Obs = {}
        while waiting or running:
            with self.clock.measure("environment"):
                obs = self._fill(waiting, running, starts, obs)
            with self.clock.measure("inference"):
                self._plan(running, obs, chunk, record)
            for index in range(self.replan):
                if not running:
                    break
                obs = self._step(running, action.copy_(chunk[:, index]), played)
        return record.episodes([played[number] for number in range(len(starts))])

    def _step(self, running: dict[int, _Lane], action: Tensor, played: dict[int, _Lane]) -> Obs:
        """One step of the lanes that are `running`; what has ended moves to `played`."""
        with self.clock.measure("environment"):
            step = self.env.step(action, ids=list(running))
        self.env_steps += len(running)
        reward, done, success = step.reward.tolist(), step.done.tolist(), step.terminated.tolist()
        for lane, one in list(running.items()):
            one.steps[-1] += 1
            one.reward[-1] += reward[lane]
            if done[lane]:
                one.success = success[lane]
                one.last = {key: value[lane : lane + 1].clone() for key, value in step.info["final_obs"].items()}
                played[one.number] = running.pop(lane)
        return step.obs

    def _fill(self, waiting: deque, running: dict[int, _Lane], starts: Sequence[Start], obs: Obs) -> Obs:
        free = [lane for lane in range(self.env.num_envs) if lane not in running][: len(waiting)]
        if not free:
            return obs
        for lane in free:
            number, start = waiting.popleft()
            running[lane] = _Lane(number, torch.Generator().manual_seed(start.noise))
        return self.env.reset([starts[running[lane].number].seed for lane in free], free)

    def _plan(self, running: dict[int, _Lane], obs: Obs, chunk: Tensor, record: _Record) -> None:
        """Draw new chunks (N, H, A), physical units, in all lanes that are running."""
        due = list(running)
        seen = obs | self.env.look(due) if self.chain.policy.contract.looks else obs
        rows = {key: seen[key][due] for key in self.chain.policy.contract.observation}
        noise = torch.stack([running[lane].draw(self.chain.noise_shape) for lane in due])
        trace = self.chain.draw(rows, noise)
        if not torch.isfinite(trace.chunk).all():
            raise NonFiniteError(f"policy {self.chain.policy.name!r} drew a NaN or infinite action while refined")
        chunk[due] = self.chain.policy.normalizer.action(trace.chunk)
        frames = self.env.render(due, self.film) if self.film else torch.zeros(0, 0, 0, 3, dtype=torch.uint8)
        for number, lane in zip(record.add(rows, trace, frames), due, strict=True):
            one = running[lane]
            one.rows.append(number)
            one.steps.append(0)
            one.reward.append(0.0)
