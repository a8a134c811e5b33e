"""A cluster as a place to play."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
import torch

from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.policies.residual import ResidualPolicy
from burnish.policies.trace import Chain, NoiseConfig
from burnish.rl_finetune.arena import Arena, Collector, Exploration
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.episodes import EpisodePlayer
from burnish.rl_finetune.fleet.cluster import FleetConfig
from burnish.rl_finetune.fleet.collector import RayCollector
from burnish.rl_finetune.fleet.fleet import Fleet
from burnish.rl_finetune.fleet.player import RayPlayer
from burnish.rl_finetune.fleet.wire import pack_policy
from burnish.rl_finetune.fleet.worker import RolloutWorker


class RayArena(Arena):
    """Lanes of `task` on the cluster that Ray is connected to."""

    def __init__(
        self,
        task: str,
        lanes: int,
        auto_reset: bool,
        max_episode_steps: int,
        cfg: FleetConfig,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """`lanes`: of each worker; `settings`: of `make_env`. Raises `BurnishError` without workers."""
        self.settings = dict(settings or {})
        self.task, self.lanes, self.auto_reset, self.cfg = task, lanes, auto_reset, cfg
        self.max_episode_steps = max_episode_steps
        self.fleet: Fleet | None = None
        cpus = int(ray.cluster_resources().get("CPU", 0))
        self.workers = cpus if cfg.workers is None else cfg.workers
        if self.workers < 1:
            raise BurnishError(f"{self.workers} rollout workers on a cluster of {cpus} CPUs: one or more are needed")

    def collector(
        self, pair: ResidualPolicy, exploration: Exploration, generator: torch.Generator, clock: Clock, folder: Path
    ) -> Collector:
        """See `Arena`."""
        return RayCollector(self, pair, exploration, generator, clock)

    def player(self, chain: Chain, noise: NoiseConfig, clock: Clock, replan: int | None) -> EpisodePlayer:
        """See `Arena`."""
        return RayPlayer(self, chain, noise, clock, replan)

    def hire(self, policy: Policy, generator: torch.Generator, begin: str, *how: Any) -> Fleet:
        """Workers with `policy`, each of which begins with its method `begin` and the arguments `how`."""
        self.close()
        files, kind = ray.put(pack_policy(policy)), ray.remote(num_cpus=1)(RolloutWorker)

        def one(number: int) -> tuple[Any, Any]:
            seed = int(torch.randint(2**62, (), generator=generator))
            actor = kind.remote(files, self.task, self.lanes, self.auto_reset, self.settings, number, seed)
            return actor, getattr(actor, begin).remote(*how)

        self.fleet = Fleet(one, self.workers, self.cfg)
        return self.fleet

    def report(self) -> dict[str, Any]:
        """Workers, machines, how many were lost, and every such event."""
        if self.fleet is None:
            return {}
        known = {"workers": len(self.fleet.members), "machines": self.fleet.nodes, "lost": self.fleet.diary.lost}
        return {"fleet": known | {"events": self.fleet.diary.events}}

    def close(self) -> None:
        """End the workers."""
        if self.fleet is not None:
            self.fleet.close()

    def __enter__(self) -> RayArena:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
