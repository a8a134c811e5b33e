"""Whole episodes of a chain of draws: many starts, several lanes, nothing stepped that has ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from burnish.errors import NonFiniteError
from burnish.policies.trace import ActionTrace, Chain
from burnish.processes import cores
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


class _Group:
    """Lanes that plan at the same time.

    Attributes:
        running: lane → its episode.
        chunk: (N, H, A) what all lanes of the environment were told last, physical units; only its own rows count.
        seen: what its lanes observe now; frames: of those that run, if they were asked for.
    """

    def __init__(self, lanes: Sequence[int], chunk: Tensor) -> None:
        self.lanes, self.chunk = lanes, chunk
        self.running: dict[int, _Lane] = {}
        self.seen: Obs = {}
        self.frames = torch.zeros(0, 0, 0, 3, dtype=torch.uint8)


class EpisodePlayer(Protocol):
    """Plays whole episodes with a chain.

    Attributes:
        replan: actions executed of each chunk.
        env_steps: played so far, over all lanes.
        film: pixels per side of the frames that are kept of each decision; 0: none are rendered.
    """

    replan: int
    env_steps: int
    film: int

    def play(self, starts: Sequence[Start]) -> list[Episode]:
        """One episode per start, in their order, each to its end, with the chain's weights as they are now."""
        ...


class Player:
    """An `EpisodePlayer` in the lanes of `env`, which does not reset itself; a free lane takes the next start.

    Where the environment can step beside this process, and a core is free for that, one half of the lanes does while
    the policy plans for the other (pipelining, as in RLinf-VLA, arXiv 2510.06710). What is decided in an episode is the
    same either way.
    """

    def __init__(
        self, chain: Chain, env: VecEnv, clock: Clock, *, replan: int | None = None, pipelined: bool | None = None
    ) -> None:
        """`pipelined`: where it can be; None where planning has a core to itself, too, as it would otherwise only take
        turns with the lanes. Without, all lanes step, then the policy plans for all of them."""
        self.chain, self.env, self.clock = chain, env, clock
        self.replan = min(chain.policy.replan if replan is None else replan, chain.policy.horizon)
        self.env_steps = 0
        self.film = 0
        """Pixels per side of the frames that are kept of each decision; 0: none are rendered."""
        wanted = cores() > env.cores if pipelined is None else pipelined
        self.halves = 2 if wanted and env.num_envs > 1 and env.step_beside() else 1

    @torch.no_grad()
    def play(self, starts: Sequence[Start]) -> list[Episode]:
        """One episode per start, in their order, each to its end.

        All lanes of a half plan at the same time, every `replan` steps: a lane that is free waits for that, some steps,
        since a plan for one costs as much as one for all.
        """
        waiting, played, record = deque(enumerate(starts)), dict[int, _Lane](), _Record()
        policy, lanes = self.chain.policy, range(self.env.num_envs)
        shape = (len(lanes), policy.horizon, policy.contract.action.shape[-1])
        with ThreadPoolExecutor(1) if self.halves > 1 else Here() as beside:

            def go_on(group: _Group) -> tuple[_Group, Future]:
                return group, beside.submit(self._advance, group, waiting, starts, played)

            under_way = deque(
                go_on(_Group(lanes[half :: self.halves], torch.zeros(shape))) for half in range(self.halves)
            )
            while under_way:
                group, arrived = under_way.popleft()
                arrived.result()
                if group.running:
                    with self.clock.measure("inference"):
                        self._plan(group, record)
                    under_way.append(go_on(group))
        return record.episodes([played[number] for number in range(len(starts))])

    def _advance(self, group: _Group, waiting: deque, starts: Sequence[Start], played: dict[int, _Lane]) -> None:
        """Execute what was planned; then its free lanes take new starts, and what the next plan reads is perceived."""
        with self.clock.measure("environment"):
            if group.running:
                self._step(group, played)
            self._fill(group, waiting, starts)
            due = list(group.running)
            if due and self.chain.policy.contract.looks:
                group.seen = group.seen | self.env.look(due)
            if due and self.film:
                group.frames = self.env.render(due, self.film)

    def _step(self, group: _Group, played: dict[int, _Lane]) -> None:
        """What was planned, in the lanes that are running; what has ended moves to `played`."""
        step = self.env.step_chunk(group.chunk[:, : self.replan], ids=list(group.running))
        taken = step.info["steps"].tolist()
        reward, done, success = step.reward.tolist(), step.done.tolist(), step.terminated.tolist()
        for lane, one in list(group.running.items()):
            self.env_steps += taken[lane]
            one.steps[-1] += taken[lane]
            one.reward[-1] += reward[lane]
            if done[lane]:
                one.success = success[lane]
                one.last = {key: value[lane : lane + 1].clone() for key, value in step.info["final_obs"].items()}
                played[one.number] = group.running.pop(lane)
        group.seen = step.obs

    def _fill(self, group: _Group, waiting: deque, starts: Sequence[Start]) -> None:
        free = [lane for lane in group.lanes if lane not in group.running][: len(waiting)]
        if not free:
            return
        for lane in free:
            number, start = waiting.popleft()
            group.running[lane] = _Lane(number, torch.Generator().manual_seed(start.noise))
        group.seen = self.env.reset([starts[group.running[lane].number].seed for lane in free], free)

    def _plan(self, group: _Group, record: _Record) -> None:
        """Draw new chunks in all lanes that are running."""
        due, policy = list(group.running), self.chain.policy
        rows = {key: group.seen[key][due] for key in policy.contract.observation}
        noise = torch.stack([group.running[lane].draw(self.chain.noise_shape) for lane in due])
        trace = self.chain.draw(rows, noise)
        if not torch.isfinite(trace.chunk).all():
            raise NonFiniteError(f"policy {policy.name!r} drew a NaN or infinite action while refined")
        group.chunk[due] = policy.normalizer.action(trace.chunk)
        for number, lane in zip(record.add(rows, trace, group.frames), due, strict=True):
            one = group.running[lane]
            one.rows.append(number)
            one.steps.append(0)
            one.reward.append(0.0)


class Here(Executor):
    """Does what it is given at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """The result is there."""
        done: Future = Future()
        done.set_result(fn(*args, **kwargs))
        return done
