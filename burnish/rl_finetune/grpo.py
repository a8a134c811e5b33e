"""Group-relative policy optimisation: GRPO (arXiv 2402.03300, section 4.1) on episodes.

Several episodes from the same start are compared with one another: no critic. Groups in which all succeed or all fail
teach nothing and are replaced by new starts (dynamic sampling, DAPO, arXiv 2503.14476, section 3.2); the upper bound of
the ratio is wider than the lower one (section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from burnish.console import say
from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.rl_finetune.arena import Arena
from burnish.rl_finetune.episodes import Episode
from burnish.rl_finetune.likelihood import LikelihoodConfig, LikelihoodTrainer
from burnish.rl_finetune.loop import refine
from burnish.rl_finetune.objective import ClipConfig, group_advantage
from burnish.run import Run
from burnish.sim.base import VecEnv


@dataclass(frozen=True, kw_only=True)
class GrpoConfig(LikelihoodConfig):
    """Groups of 8, as SimpleVLA-RL and SRPO have them."""

    epochs: int = 10
    group: int = 8
    """Episodes from one start."""
    clip: ClipConfig = field(default_factory=lambda: ClipConfig(low=0.02, high=0.028))
    tries: int = 3
    """Rounds of starts played, at most, until enough groups are neither all success nor all failure."""

    def __post_init__(self) -> None:
        if self.group < 2 or self.episodes % self.group:
            raise BurnishError(
                f"episodes {self.episodes} is not a multiple of group {self.group} (2 or more); set both"
            )


class GroupTrainer(LikelihoodTrainer):
    """Judges each episode beside the others of its group."""

    cfg: GrpoConfig

    def play(self) -> list[Episode]:
        """As many useful groups as were asked for, or what a few tries gave."""
        kept: list[Episode] = []
        for _ in range(self.cfg.tries):
            missing = (self.cfg.episodes - len(kept)) // self.cfg.group
            seeds = [self.start().seed for _ in range(missing)]
            kept += self.useful(self.played([self.start(seed) for seed in seeds for _ in range(self.cfg.group)]))
            if len(kept) >= self.cfg.episodes:
                break
        if not kept:
            rate = sum(self.success[-self.cfg.episodes :]) / self.cfg.episodes
            say(
                f"  every group was all success or all failure (success {rate:.0%}): nothing to learn from; "
                "with more --refine.noise.least, or from an easier start, they would differ"
            )
        return kept

    def useful(self, played: Sequence[Episode]) -> list[Episode]:
        """Those of groups whose episodes did not all end alike."""
        return [one for group in self.groups(played) if len({one.success for one in group}) > 1 for one in group]

    def groups(self, played: Sequence[Episode]) -> list[Sequence[Episode]]:
        """They lie one after the other."""
        return [played[first : first + self.cfg.group] for first in range(0, len(played), self.cfg.group)]

    def judge(self, episodes: Sequence[Episode]) -> Tensor:
        """Every decision gets its share of its episode's advantage, so that all episodes count the same (1/|o| in
        equation 3): failures, which last longer, would outweigh successes, and all that was done become rarer."""
        advantage = group_advantage(self.rewards(episodes), self.cfg.group)
        lengths = torch.tensor([len(one) for one in episodes])
        return torch.repeat_interleave(advantage * lengths.float().mean() / lengths, lengths)

    def rewards(self, episodes: Sequence[Episode]) -> Tensor:
        """(E,) of whole episodes: 1 for success."""
        return torch.tensor([float(one.success) for one in episodes])


def train(
    run: Run, policy: Policy, env: VecEnv | Arena, demos: Demonstrations | None, cfg: GrpoConfig
) -> dict[str, Any]:
    """Refine all of `policy` in `env`; see `loop.refine`."""
    return refine(run, GroupTrainer(policy, env, cfg), "GRPO")
