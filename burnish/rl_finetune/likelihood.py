"""Refinement by likelihood: play whole episodes, judge what was decided, make the better decisions likelier.

DPPO, ReinFlow, GRPO and SRPO are this loop with other advantages; a policy only has to tell how likely its draws were
(`burnish.policies.trace`).
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from burnish.console import say
from burnish.policies.base import Policy
from burnish.policies.optimizers import optimizer_state, restore_optimizer
from burnish.policies.resume import grouped
from burnish.policies.trace import ActionTrace, Chain, NoiseConfig
from burnish.rl_finetune.arena import Arena, arena
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.episodes import Episode, Start
from burnish.rl_finetune.objective import ClipConfig, clipped, step_log_prob
from burnish.run import Run
from burnish.sim.base import VecEnv, next_seed


@dataclass(frozen=True, kw_only=True)
class LikelihoodConfig:
    """What all of them share. Steps are environment steps over all lanes."""

    auto_reset: ClassVar[bool] = False
    env_steps: int = 1_000_000
    episodes: int = 160
    """Played before each improvement. The gradients of two times as many have a cosine of 0.1: fewer only wander."""
    lanes: int = 40
    workers: int = 2
    replan: int | None = None
    """Actions executed of each chunk; None: as the policy has it."""
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    lr: float = 3e-4
    epochs: int = 5
    """Times every decision is learned from."""
    batch_size: int = 1_024
    """Decisions per gradient step."""
    max_grad_norm: float = 1.0
    target_kl: float = 0.02
    """Once the policy has moved so far from the one that played, new episodes are played."""
    largest_kl: float = 1.0
    """A policy that moves so far has diverged: the last good one is kept."""
    seed: int = 0


@dataclass
class Experience:
    """All decisions of some episodes, one row each."""

    obs: Mapping[str, Tensor]
    trace: ActionTrace
    advantage: Tensor
    log_prob: Tensor
    """(M, K) under the policy that played."""


class LikelihoodTrainer(ABC):
    """Plays, judges, improves. A subclass says how episodes are judged, and may choose what is played."""

    def __init__(self, policy: Policy, env: VecEnv | Arena, cfg: LikelihoodConfig) -> None:
        """Raises `BurnishError` if `policy` gives no traces."""
        self.policy, self.arena, self.cfg = policy, arena(env), cfg
        with torch.random.fork_rng():
            torch.manual_seed(cfg.seed)
            self.chain = policy.chain(cfg.noise).eval()
        self.parameters = [each for each in self.chain.parameters() if each.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, cfg.lr, weight_decay=0.0, fused=True)
        self.generator = torch.Generator().manual_seed(cfg.seed)
        self.clock = Clock()
        self.player = self.arena.player(self.chain, cfg.noise, self.clock, cfg.replan)
        self.success: list[float] = []
        self.iterations = 0
        self.diverged = False

    @abstractmethod
    def judge(self, episodes: Sequence[Episode]) -> Tensor:
        """Advantage (M,) of every decision, episode after episode."""

    def besides(self, known: Experience, which: Tensor) -> Tensor | float:
        """Minimised together with the clipped objective, on the decisions `which`; nothing, unless overridden."""
        return 0.0

    def starts(self) -> list[Start]:
        """Of the episodes to be played next."""
        return [self.start() for _ in range(self.cfg.episodes)]

    def start(self, seed: int | None = None) -> Start:
        """A new episode, from the start `seed` names or from one drawn at random."""
        seeds = torch.randint(2**62, (2,), generator=self.generator).tolist()
        return Start(next_seed(seeds[0]) if seed is None else seed, seeds[1])

    def play(self) -> list[Episode]:
        """What the next improvement learns from."""
        return self.played(self.starts())

    def played(self, starts: Sequence[Start]) -> list[Episode]:
        """Those episodes, counted."""
        played = self.player.play(starts)
        self.success += [float(one.success) for one in played]
        return played

    def rate_since(self, count: int) -> float:
        """Success of all episodes after the first `count`; 0 if there are none."""
        new = self.success[count:]
        return sum(new) / max(len(new), 1)

    @property
    def finished(self) -> bool:
        """Whether all was played that was asked for."""
        return self.player.env_steps >= self.cfg.env_steps

    def iterate(self, run: Run) -> dict[str, float]:
        """One round; numbers to log."""
        before = len(self.success)
        played = self.play()
        with self.clock.measure("update"):
            numbers = self.improve(self.experience(played), run) if played else {}
        self.iterations += 1
        return {"success": self.rate_since(before), "episodes": len(self.success) - before, **numbers}

    def log_prob(self, chain: Chain, obs: Mapping[str, Tensor], trace: ActionTrace) -> Tensor:
        """(B, K) of what was drawn, as far as it was executed: what was not led to nothing (DPPO's released code)."""
        return step_log_prob(chain.log_prob(obs, trace)[:, :, : chain.executed(self.player.replan)], self.cfg.clip)

    @torch.no_grad()
    def experience(self, played: Sequence[Episode]) -> Experience:
        """Their decisions, judged."""
        obs, trace = together(played)
        found = [
            self.log_prob(self.chain, *rows(obs, trace, each))
            for each in torch.arange(len(trace.chunk)).split(self.cfg.batch_size)
        ]
        return Experience(obs, trace, self.judge(played), torch.cat(found))

    def improve(self, known: Experience, run: Run, chain: Chain | None = None) -> dict[str, float]:
        """Gradient steps on the clipped objective until the policy has moved far enough; `chain`: what drew `known`."""
        chain = chain or self.chain
        useful = known.advantage.nonzero()[:, 0]
        good, kl, share, updates = self._weights(), 0.0, 0.0, 0
        for _ in range(self.cfg.epochs if len(useful) else 0):
            order = useful[torch.randperm(len(useful), generator=self.generator)]
            for each in order.split(self.cfg.batch_size):
                new = self.log_prob(chain, *rows(known.obs, known.trace, each))
                found = clipped(new, known.log_prob[each], known.advantage[each], self.cfg.clip)
                kl, share = float(found.kl), float(found.share)
                if not math.isfinite(float(found.loss.detach())) or kl > self.cfg.largest_kl:
                    self._give_up(good, kl, run)
                    return {"kl": kl, "updates": updates}
                if kl > self.cfg.target_kl:
                    return {"kl": kl, "clipped": share, "updates": updates}
                self.optimizer.zero_grad()
                (found.loss + self.besides(known, each)).backward()
                torch.nn.utils.clip_grad_norm_(self.parameters, self.cfg.max_grad_norm, foreach=True)
                self.optimizer.step()
                updates += 1
        return {"kl": kl, "clipped": share, "updates": updates}

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs besides the policy."""
        own = {key: value for key, value in self.chain.state_dict().items() if not key.startswith("policy.")}
        kept = grouped(adam=optimizer_state(self.optimizer, self.parameters), chain=own)
        return kept | {"generator": self.generator.get_state()}

    def load(self, tensors: Mapping[str, Tensor], under: Any) -> None:
        """Put back what `state` gave; `under(prefix)` selects."""
        restore_optimizer(self.optimizer, self.parameters, under("adam/"))
        self.chain.load_state_dict(under("chain/"), strict=False)
        self.generator.set_state(tensors["generator"])

    def _weights(self) -> dict[str, Tensor]:
        return copy.deepcopy(self.chain.state_dict())

    def _give_up(self, good: Mapping[str, Tensor], kl: float, run: Run) -> None:
        self.chain.load_state_dict(good)
        self.diverged = True
        say(
            f"  diverged at {self.player.env_steps} environment steps (KL {kl:.3g}, largest_kl {self.cfg.largest_kl}): "
            f"the policy before this improvement is kept in {run.folder / 'policy'}; try a smaller --refine.lr"
        )


def together(played: Sequence[Episode]) -> tuple[dict[str, Tensor], ActionTrace]:
    """Observations and draws of all decisions, episode after episode."""
    obs = {key: torch.cat([one.obs[key] for one in played]) for key in played[0].obs}
    return obs, ActionTrace(*(torch.cat(parts) for parts in zip(*(one.trace for one in played), strict=True)))


def rows(obs: Mapping[str, Tensor], trace: ActionTrace, which: Tensor) -> tuple[dict[str, Tensor], ActionTrace]:
    """Some rows of both."""
    return {key: value[which] for key, value in obs.items()}, ActionTrace(*(part[which] for part in trace))
