"""A rollout worker: lanes of its own in a process somewhere, told what to play with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import ray
import torch

from burnish.policies.base import Policy
from burnish.policies.residual import ResidualPolicy
from burnish.policies.trace import NoiseConfig
from burnish.rl_finetune.arena import Exploration
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.episodes import Player, Start
from burnish.rl_finetune.fleet.wire import Arrays, pack_episodes, pack_played, tensors, unpack_policy
from burnish.rl_finetune.rollout import Rollout
from burnish.sim.base import VecEnv, make_env_for


class RolloutWorker:
    """Lives in a process of Ray's, on one CPU. Errors that a user can mend reach the learner as they are."""

    def __init__(
        self,
        files: Mapping[str, np.ndarray],
        task: str,
        lanes: int,
        auto_reset: bool,
        settings: Mapping[str, Any],
        number: int,
        seed: int,
    ) -> None:
        """
        Args:
            files: of the policy's checkpoint.
            lanes, settings: of the environment, all stepped in this process.
            number, seed: of this worker; one that takes a dead one's place has others.
        """
        self._files, self._task, self._lanes, self._auto_reset = files, task, lanes, auto_reset
        self._settings, self._number, self._clock = settings, number, Clock()
        self._generator = torch.Generator().manual_seed(seed)

    def begin_rollout(self, exploration: Exploration) -> str:
        """Be a `Collector`; the policy is a `ResidualPolicy`. Returns the machine it is on."""
        policy, env = self._open()
        assert isinstance(policy, ResidualPolicy)
        self._rollout = Rollout(policy, env, exploration, self._generator, self._clock, None)
        self._rollout.begin(0)
        return ray.get_runtime_context().get_node_id()

    @torch.no_grad()
    def collect(self, actor: np.ndarray, steps: int, warm_up: bool) -> Arrays:
        """`steps` of every lane."""
        weights = torch.from_numpy(np.array(actor))
        return pack_played([self._rollout.collect(weights, 0, warm_up=warm_up) for _ in range(steps)])

    def begin_episodes(self, noise: NoiseConfig, replan: int | None) -> str:
        """Be an `EpisodePlayer`. Returns the machine it is on."""
        policy, env = self._open()
        self._chain = policy.chain(noise).eval()
        self._player = Player(self._chain, env, self._clock, replan=replan)
        return ray.get_runtime_context().get_node_id()

    def play(self, weights: Mapping[str, np.ndarray], starts: Sequence[tuple[int, int]], film: int) -> list[Arrays]:
        """Whole episodes, one per start (seed, noise)."""
        self._chain.load_state_dict(tensors(weights))
        self._player.film = film
        return pack_episodes(self._player.play([Start(*one) for one in starts]))

    def _open(self) -> tuple[Policy, VecEnv]:
        """Not in `__init__`: what is raised there, Ray does not hand over."""
        torch.set_num_threads(1)
        policy = unpack_policy(self._files)
        here = f"policy of rollout worker {self._number}"
        options = {"auto_reset": self._auto_reset, "settings": self._settings}
        return policy, make_env_for(policy.contract, self._task, self._lanes, here=here, **options)
