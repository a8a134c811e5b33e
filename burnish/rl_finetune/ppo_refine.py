"""PPO from a policy that already does the task, an imitated one: what `burnish.rl_finetune.ppo` learns from nothing.

Three things would undo what it can, and are prevented: a critic that knows nothing yet misleads the actor, so at first
only the critic learns; noise that a beginner needs makes a walking robot fall, so there is little; and a long step
leads to where nothing was ever tried, so the learning rate follows the divergence that an improvement causes. How the
policy reads its observations stays as it is, or all its weights would mean something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, override

import torch

from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy
from burnish.policies.mlp import MLP
from burnish.rl_finetune.ppo import ImproveConfig, Trainer, learn
from burnish.run import Run
from burnish.sim.base import VecEnv


@dataclass(frozen=True, kw_only=True)
class RefineConfig(ImproveConfig):
    """Careful steps. The critic has layers of the policy's size."""

    auto_reset: ClassVar[bool] = True
    dense: ClassVar[bool] = True
    """It learns from the environment's dense reward, where there is one."""
    env_steps: int = 1_000_000
    workers: int = 1
    enough: float = 0.98
    steps: int = 24
    epochs: int = 5
    minibatches: int = 4
    gamma: float = 0.99
    lr: float = 3e-4
    kl: float | None = 0.01
    entropy: float = 0.0
    deviation: float = 0.08
    step_deviation: float = 0.08
    value_iterations: int = 30
    """Improvements in which only the critic learns."""


def train(run: Run, policy: Policy, env: VecEnv, demos: Demonstrations | None, cfg: RefineConfig) -> dict[str, Any]:
    """Improve `policy` (an MLP) in `env`; `demos` are of no use here. Returns what `ppo.train` does.

    Raises `BurnishError` for another kind of policy.
    """
    if not isinstance(policy, MLP):
        raise BurnishError(f"PPO improves an mlp policy, not {policy.name}; make it one: `burnish distill mlp`")
    with torch.random.fork_rng():
        torch.manual_seed(cfg.seed)
        return learn(run, Improver(env, cfg, policy))


class Improver(Trainer):
    """Begins with a policy's weights."""

    cfg: RefineConfig

    @property
    @override
    def unit(self) -> float:
        """No state is worth more than 1: a critic whose weights are new and whose steps are small gets there soon."""
        return 1 - self.cfg.gamma

    @override
    def prepare(self) -> None:
        """The actor is the policy."""
        self.learner.actor.mlp.load_state_dict(self.policy.network.state_dict())

    @override
    def iterate(self, run: Run) -> dict[str, float]:
        """At first it is only judged."""
        only_judged = self.iterations < self.cfg.value_iterations
        self.learner.actor.requires_grad_(not only_judged)
        found = super().iterate(run)
        if only_judged:  # nothing diverged, which would make the next steps long ones
            self.learner.learning_rate = self.cfg.lr
        return found | {"lr": self.learner.learning_rate}

    @override
    def know(self) -> None:
        """The newest weights; the statistics stay."""
        self.policy.network.load_state_dict(self.learner.actor.mlp.state_dict())
