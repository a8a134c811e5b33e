"""Self-referential progress rewards: SRPO (arXiv 2511.15605).

GRPO learns nothing from an episode that failed but that it failed. Here a failed one is rewarded by how near it came,
in the latent space of a world model, to where the successful episodes of the same task ended (section 3.2). Two traps
of the released code are avoided. It clusters with a fixed radius in a space of a thousand standardised dimensions,
where nothing is ever that near: here the centre is the nearest success itself, in few dimensions. It rescales by the
batch's best and worst failures, so that the best always gets nearly 0.6 however bad it is: here the scale is the
distance at which episodes begin.

The paper gives all decisions of an episode the same advantage. Here each gets what followed it, the sooner the more:
process supervision (GRPO, arXiv 2402.03300, section 4.1.3), with λ as in generalised advantages. A state is worth how
likely it is to end in success, learned from its distance to success and the time that has passed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from burnish.datasets.demonstrations import Demonstrations
from burnish.policies.base import Policy
from burnish.rl_finetune.arena import Arena
from burnish.rl_finetune.chances import Chances, features
from burnish.rl_finetune.episodes import Episode
from burnish.rl_finetune.grpo import GroupTrainer, GrpoConfig
from burnish.rl_finetune.loop import refine
from burnish.rl_finetune.objective import gae
from burnish.rl_finetune.video_world import VideoWorld
from burnish.rl_finetune.worlds import TimeEncoder, TimeEncoderConfig, World
from burnish.run import Run
from burnish.sim.base import VecEnv

SHARE, STEEPNESS, HALFWAY = 0.6, 10.0, 0.5
"""A failure's reward is 0.6 · σ(10 · (0.5 − d̂)) (equation 5)."""


@dataclass(frozen=True, kw_only=True)
class SrpoConfig(GrpoConfig):
    """GRPO's, and the world in which progress is measured."""

    world: str | None = None
    """Name or folder of a V-JEPA 2 model, which looks at films of the episodes; None: an encoder of what the policy
    observes, learned from the rollouts."""
    encoder: TimeEncoderConfig = field(default_factory=TimeEncoderConfig)
    successes: int = 64
    """The last ones, to which failures are compared."""
    lam: float | None = 0.95
    """λ of what followed a decision; None: all decisions of an episode are judged by how it ended (the paper)."""


class ProgressTrainer(GroupTrainer):
    """Judges failures by their progress. A group needs no success of its own, if there was one before."""

    cfg: SrpoConfig

    def __init__(self, policy: Policy, env: VecEnv | Arena, cfg: SrpoConfig) -> None:
        super().__init__(policy, env, cfg)
        self.world: World = VideoWorld(cfg.world) if cfg.world else TimeEncoder(policy, cfg.encoder, cfg.seed)
        self.player.film = self.world.film
        self.known: deque[Tensor] = deque(maxlen=cfg.successes)
        """What the world keeps of successful episodes, (1, C) each."""
        self.chances = Chances()

    def useful(self, played: Sequence[Episode]) -> list[Episode]:
        """Before the first success as GRPO; then also groups that failed, which came nearer or less near."""
        self.world.fit(played, self.generator)
        self.known.extend(self.world.end(one) for one in played if one.success)
        open_ended = [group for group in self.groups(played) if not all(one.success for one in group)]
        return [one for group in open_ended for one in group] if self.known else []

    def judge(self, episodes: Sequence[Episode]) -> Tensor:
        """What followed each decision against the mean of its group, in standard deviations of all of them."""
        if self.cfg.lam is None:
            return super().judge(episodes)
        ways = [features(self.distance(one)) for one in episodes]
        success = [torch.full((len(one),), float(one.success)) for one in episodes]
        self.chances.learn(torch.cat([way[:-1] for way in ways]), torch.cat(success))
        gains = [self.gains(one, way, self.cfg.lam) for one, way in zip(episodes, ways, strict=True)]
        groups = [torch.cat(gains[first : first + self.cfg.group]) for first in range(0, len(gains), self.cfg.group)]
        centred = torch.cat([one - one.mean() for one in groups])
        return centred / (centred.std() + 1e-6)

    def gains(self, one: Episode, way: Tensor, lam: float) -> Tensor:
        """Σ λⁱ of how the chance of success changed after each decision (D,), from the features (D + 1, 6)."""
        value = self.chances(way[:-1])
        return gae(torch.zeros(len(one)), value, float(one.success), gamma=1.0, lam=lam, steps=one.steps)[0]

    @torch.no_grad()
    def distance(self, one: Episode) -> Tensor:
        """d̂ (D + 1,) before each decision and at the end."""
        way = self.world.latent(self.world.way(one))
        successes = self.world.latent(torch.cat(list(self.known)))
        found = progress_distance(way, way[:1].expand_as(way), successes)
        # As many as there are decisions and an end, however many the world looks at.
        return functional.interpolate(found[None, None], len(one) + 1, mode="linear", align_corners=True)[0, 0]

    @torch.no_grad()
    def rewards(self, episodes: Sequence[Episode]) -> Tensor:
        """1 for success, up to 0.6 for a failure."""
        ends = self.world.latent(torch.cat([self.world.end(one) for one in episodes]))
        starts = self.world.latent(torch.cat([self.world.start(one) for one in episodes]))
        distance = progress_distance(ends, starts, self.world.latent(torch.cat(list(self.known))))
        success = torch.tensor([float(one.success) for one in episodes])
        return torch.where(success > 0, success, progress_reward(distance))

    def state(self) -> dict[str, Tensor]:
        """With the world, successes and chances."""
        known = {"known": torch.cat(list(self.known))} if self.known else {}
        chances = {"chances.square": self.chances.square, "chances.product": self.chances.product}
        return super().state() | self.world.state() | known | chances

    def load(self, tensors: Mapping[str, Tensor], under: Any) -> None:
        """With the world, successes and chances."""
        super().load(tensors, under)
        self.world.restore(under)
        self.chances.square, self.chances.product = tensors["chances.square"], tensors["chances.product"]
        self.known.extend(tensors["known"].split(1) if "known" in tensors else ())


def progress_distance(ends: Tensor, starts: Tensor, successes: Tensor) -> Tensor:
    """d̂ (E,): from the end of each episode (E, Z) to the nearest success (S, Z), relative to its start (E, Z)."""
    nearest = torch.cdist(ends, successes).amin(1)
    return nearest / torch.cdist(starts, successes).amin(1).clamp_min(1e-6)


def progress_reward(distance: Tensor) -> Tensor:
    """Of a failure at distance d̂ (E,)."""
    return SHARE * torch.sigmoid(STEEPNESS * (HALFWAY - distance))


def published_distance(ends: Tensor, successes: Tensor) -> Tensor:
    """d̂ (E,) as the released code has it: to the mean success, stretched to 0 … 1 over this batch's failures."""
    distance = (ends - successes.mean(0)).norm(dim=1)
    return (distance - distance.min()) / (distance.max() - distance.min()).clamp_min(1e-6)


def train(
    run: Run, policy: Policy, env: VecEnv | Arena, demos: Demonstrations | None, cfg: SrpoConfig
) -> dict[str, Any]:
    """Refine all of `policy` in `env`; see `loop.refine`."""
    return refine(run, ProgressTrainer(policy, env, cfg), "SRPO")
