"""Success over a protocol's fixed episodes: resumable, and the same whatever the number of workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol as Interface

import torch
from torch import Tensor

from burnish.agent import Agent
from burnish.console import Advance, say
from burnish.errors import BurnishError, NonFiniteError
from burnish.sim.base import Obs, VecEnv, with_looks
from burnish.sim.nonfinite import keep_observations
from burnish.sim.protocols import Protocol
from burnish.sim.records import Episode, Evaluation, Ledger
from burnish.sim.records import wilson as wilson
from burnish.sim.recovery import Deaths
from burnish.sim.workers import DeadWorkerError


class Watch(Interface):
    """Sees every moment of the running episodes, e.g. to make a video."""

    def __call__(self, running: Mapping[int, int], steps: Sequence[int]) -> None:
        """`running`: lane → episode, at its start and after each of its steps; `steps[lane]`: of how many (0: it
        begins, perhaps anew after a worker process died).
        """
        ...


def evaluate(
    agent: Agent,
    env: VecEnv,
    protocol: Protocol,
    *,
    folder: Path | None = None,
    only: Sequence[int] | None = None,
    advance: Advance | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """Run `agent` over the episodes of `protocol`. Episodes under way in a worker process that dies begin anew.

    Args:
        env: `protocol.lanes` lanes of the protocol's task and horizon, with any number of workers.
        folder: finished episodes are appended to `episodes.jsonl` there and are not run again after an interruption;
            it belongs to one agent. The summary becomes `evaluation.json`.
        only: episode numbers to run instead of all.
    Raises:
        WorkerError: a simulator raised, or its process dies again and again; the message names the episode.
        NonFiniteError: an action is NaN or infinite; the observations are saved in `folder`.
        BurnishError: `env` does not fit the protocol, or `folder` holds another protocol's episodes.
    """
    _check(env, protocol)
    wanted = range(protocol.episodes) if only is None else sorted(set(only))
    ledger = Ledger(folder, protocol)
    missing = [episode for episode in wanted if episode not in ledger.episodes]
    if advance is not None and len(missing) < len(wanted):
        advance(len(wanted) - len(missing), "already finished")
    _Session(agent, env, protocol, ledger, missing, folder).run(advance, watch)
    evaluation = Evaluation(protocol, tuple(ledger.episodes[episode] for episode in wanted), ledger.restarts)
    ledger.finish(evaluation)
    return evaluation


class _Session:
    """Lanes at work: each runs its own episodes one after the other."""

    def __init__(
        self, agent: Agent, env: VecEnv, protocol: Protocol, ledger: Ledger, missing: list[int], folder: Path | None
    ) -> None:
        self.agent, self.env, self.protocol, self.ledger, self.folder = agent, env, protocol, ledger, folder
        self.waiting = [[e for e in reversed(missing) if protocol.lane(e) == lane] for lane in range(protocol.lanes)]
        self.running: dict[int, int] = {}
        self.length = [0] * protocol.lanes
        self.returns = [0.0] * protocol.lanes
        self.deaths, self.dead = Deaths(protocol), False

    def run(self, advance: Advance | None, watch: Watch | None) -> None:
        """Until no episode is missing."""
        while any(self.waiting):
            try:
                self._play(advance, watch)
            except DeadWorkerError as error:
                self._put_back(error)

    def _play(self, advance: Advance | None, watch: Watch | None) -> None:
        if self.dead:
            self.env.restart()
            self.dead = False
        lanes = [lane for lane in range(self.protocol.lanes) if self.waiting[lane]]
        self._take(lanes)
        # Idle lanes need sensible observations too: the agent computes on all of them.
        first = self.running[lanes[0]]
        episodes = [self.running.get(lane, first) for lane in range(self.protocol.lanes)]
        obs = self.env.reset([self.protocol.episode_seed(episode) for episode in episodes])
        while self.running:
            if watch is not None:
                watch(self.running, self.length)
            step = self.env.step(self._act(obs), ids=list(self.running))
            obs = step.obs
            finished = []
            for lane in self.running:
                self.length[lane] += 1
                self.returns[lane] += float(step.reward[lane])
                if step.done[lane]:
                    finished.append(lane)
            if finished:
                if watch is not None:
                    watch({lane: self.running[lane] for lane in finished}, self.length)
                self._record(finished, step.info["success"])
                obs = self._start([lane for lane in finished if self.waiting[lane]], obs)
                if advance is not None:
                    advance(len(finished), f"success {self.ledger.success:.0%}")

    def _start(self, lanes: list[int], obs: Obs) -> Obs:
        if not lanes:
            return obs
        self._take(lanes)
        return self.env.reset([self.protocol.episode_seed(self.running[lane]) for lane in lanes], lanes)

    def _take(self, lanes: list[int]) -> None:
        """The next episode of each of `lanes` is running from now on."""
        for lane in lanes:
            self.running[lane] = self.waiting[lane].pop()
            self.length[lane], self.returns[lane] = 0, 0.0
        self.agent.reset(lanes, [self.protocol.noise_seed(self.running[lane]) for lane in lanes])

    def _put_back(self, error: DeadWorkerError) -> None:
        """What was under way, in other processes too, is as if it had never begun."""
        self.deaths.add(error, self.running)
        for lane, episode in self.running.items():
            self.waiting[lane].append(episode)
        say(f"  {error.what}; started again, {len(self.running)} unfinished episodes begin anew")
        self.running, self.dead = {}, True
        self.ledger.restarted()

    def _record(self, lanes: list[int], success: Tensor) -> None:
        self.deaths.progress()
        for lane in lanes:
            episode = self.running.pop(lane)
            seed = self.protocol.episode_seed(episode)
            self.ledger.add(Episode(episode, seed, bool(success[lane]), self.length[lane], self.returns[lane]))

    def _act(self, obs: Obs) -> Tensor:
        obs = with_looks(obs, self.env, self.agent, self.running)
        with keep_observations(obs, self.folder):
            action = self.agent.act(obs)
            finite = torch.isfinite(action).all(dim=1)
            for lane, episode in self.running.items():
                if not finite[lane]:
                    where = f"lane {lane}, episode {episode}, step {self.length[lane]}"
                    raise NonFiniteError(f"the action in {where} of {self.env.task} is not finite")
        return action


def _check(env: VecEnv, protocol: Protocol) -> None:
    wanted = {"task": protocol.task, "lanes": protocol.lanes, "horizon": protocol.horizon, "settings": protocol.world}
    have = {"task": env.task, "lanes": env.num_envs, "horizon": env.max_episode_steps, "settings": env.settings}
    for part, value in have.items():
        if value != (expected := wanted[part]):
            raise BurnishError(f"the protocol wants {part} {expected!r}, the environment has {value!r}")
