"""REDQ critic ensemble and TD3-style actor on flat parameter vectors (arXiv 2101.05982, 1802.09477)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from burnish.policies.ensemble import Adam, EnsembleMLP, Weights
from burnish.policies.normalize import LARGEST_INPUT
from burnish.policies.residual import Reach
from burnish.rl_finetune.buffer import Transitions


@dataclass(frozen=True)
class LearnerConfig:
    """Sizes and rates of the actor-critic update."""

    critics: int = 10
    target_critics: int = 2
    """Heads whose minimum is the target, drawn anew for every update."""
    critic_hidden: int = 64
    critic_lr: float = 3e-4
    actor_lr: float = 2e-4
    pessimism: float = 2.0
    """κ of the actor's objective, mean − κ · standard deviation over the heads: no credit where the heads disagree."""
    judged: Literal["value", "gain"] = "value"
    """What the heads are to agree on: the corrected action's value, or what it gains over the base's. A head's error
    common to both cancels in the gain, so that a good base is left alone where nothing is known to be better."""
    imitation: float = 0.25
    """Weight of the squared distance to what was done in episodes that succeeded (self-imitation, arXiv 1806.05635)."""
    tau: float = 0.01
    average_rate: float = 0.002
    """Polyak rate of the actor that is kept."""
    target_noise: float = 0.1
    """Standard deviation of the target policy's smoothing noise."""
    target_noise_clip: float = 0.6
    max_grad_norm: float = 10.0


class Learner:
    """Trains `actor` (flat residual weights, updated in place) and its critics.

    The critics see the action, and apart from it what a set point is corrected by, as a share of the largest
    correction: beside a number that says where to be, which is nearly the state again, that is too small for its effect
    to be learned. What was shown of a set point beyond its reach counts as the largest correction.

    Rewards are 1 on success and 0 otherwise and success ends an episode, so every return lies in [0, 1]: targets are
    clipped to it, which stops overestimation from feeding on itself.
    """

    def __init__(
        self, network: EnsembleMLP, actor: Tensor, reach: Reach, cfg: LearnerConfig, generator: torch.Generator
    ) -> None:
        self.cfg, self.reach, self.generator = cfg, reach, generator
        self.action_dim = network.outputs
        self.network = network
        self.set_points = reach.set_points.expand(network.outputs)
        inputs = network.inputs + int(self.set_points.sum())
        self.critic_network = EnsembleMLP(cfg.critics, inputs, cfg.critic_hidden, 1)
        self.actor = Adam(actor, cfg.actor_lr, cfg.max_grad_norm)
        self.critic = Adam(self.critic_network.init(generator), cfg.critic_lr, cfg.max_grad_norm)
        self.target_critic = self.critic.flat.clone()
        self.target_actor = actor.clone()
        self.average_actor = actor.clone()
        """A slower average of the actor: what is evaluated and kept."""
        self.actor_weights, self.actor_grads = network.views(actor), network.views(self.actor.grad)
        self.target_actor_weights = network.views(self.target_actor)
        critics = self.critic_network
        self.critic_weights, self.critic_grads = critics.views(self.critic.flat), critics.views(self.critic.grad)
        self.target_critic_weights = critics.views(self.target_critic)

    def update_critic(self, batch: Transitions) -> Tensor:
        """One step of every head towards r + γⁿ · min over a random pair of target heads; returns the loss per head."""
        target = self._target(batch)
        q, tape = self.critic_network.forward(self.critic_weights, self._seen(batch.obs, batch.base, batch.action))
        error = q[..., 0] - target
        self.critic_network.backward(
            self.critic_weights, tape, (error * (2 / len(target)))[..., None], self.critic_grads
        )
        self.critic.step()
        self.target_critic.lerp_(self.critic.flat, self.cfg.tau)
        return error.square().mean()

    def update_actor(self, batch: Transitions, succeeded: Tensor) -> Tensor:
        """One step up the ensemble's pessimistic Q of the corrected action and towards what succeeded; returns mean Q.

        `succeeded` (B,) is 1 for transitions of episodes that ended in success, else 0.
        """
        obs, base = batch.obs, batch.base
        out, actor_tape = self.network.forward(self.actor_weights, torch.cat([obs, base], 1))
        wish = torch.tanh(out[0])
        action = self.reach.add(base, wish)
        q, tape = self.critic_network.forward(self.critic_weights, self._seen(obs, base, action))
        judged = q - self._without(obs, base) if self.cfg.judged == "gain" else q
        deviation = judged - judged.mean(0)
        spread = deviation.square().mean(0).sqrt().clamp_min(1e-6)
        dq = (self.cfg.pessimism * deviation / spread - 1.0) / q.numel()
        d_seen = self.critic_network.input_gradient(self.critic_weights, tape, dq)[:, obs.shape[1] :]
        d_share = self.reach.scale * d_seen[:, : self.action_dim]
        d_share[:, self.set_points] += d_seen[:, self.action_dim :]
        shown = self.reach.share(base, batch.action)
        shown = torch.where(self.set_points, shown.clamp(-1.0, 1.0), shown)
        missed = self.reach.share(base, action) - shown
        d_share = d_share + self.cfg.imitation / len(obs) * succeeded[:, None] * missed
        # Outside the action bounds the clamp is flat; inside, the chain rule through tanh.
        raw = base + self.reach.scale * wish
        inside = (raw >= self.reach.low) & (raw <= self.reach.high)
        d_out = torch.where(inside, d_share, 0.0) * (1 - wish.square())
        self.network.backward(self.actor_weights, actor_tape, d_out[None], self.actor_grads)
        self.actor.step()
        self.target_actor.lerp_(self.actor.flat, self.cfg.tau)
        self.average_actor.lerp_(self.actor.flat, self.cfg.average_rate)
        return q.mean()

    def act(self, weights: Weights, obs: Tensor, base: Tensor) -> Tensor:
        """Correction (B, A) of the actor with `weights`, as a share of the largest one."""
        return torch.tanh(self.network.forward(weights, torch.cat([obs, base], 1))[0][0])

    def anneal(self, progress: float) -> None:
        """Learning rates for `progress` in [0, 1] of the run: constant for half of it, then linear down to a tenth."""
        factor = min(1.0, 1.0 - 0.9 * (2 * progress - 1))
        self.actor.lr, self.critic.lr = self.cfg.actor_lr * factor, self.cfg.critic_lr * factor

    def state(self) -> dict[str, Tensor]:
        """Every tensor a resumed run needs, by name."""
        targets = {
            "target_critic": self.target_critic,
            "target_actor": self.target_actor,
            "average_actor": self.average_actor,
        }
        return self.actor.state("actor") | self.critic.state("critic") | targets

    def _without(self, obs: Tensor, base: Tensor) -> Tensor:
        """Every head's value of the base's own action (heads, B, 1)."""
        return self.critic_network.forward(self.critic_weights, self._seen(obs, base, base))[0]

    def _seen(self, obs: Tensor, base: Tensor, action: Tensor) -> Tensor:
        """What the critics read (B, C + A and the set points' shares)."""
        share = self.reach.share(base, action)[:, self.set_points].clamp(-LARGEST_INPUT, LARGEST_INPUT)
        return torch.cat([obs, action, share], 1)

    def _target(self, batch: Transitions) -> Tensor:
        cfg = self.cfg
        obs, base = batch.next_obs, batch.next_base
        noise = torch.randn(base.shape, generator=self.generator) * cfg.target_noise
        smoothing = noise.clamp_(-cfg.target_noise_clip, cfg.target_noise_clip)
        action = self.reach.add(base, self.act(self.target_actor_weights, obs, base) + smoothing)
        picked = torch.randperm(cfg.critics, generator=self.generator)[: cfg.target_critics]
        q = self.critic_network.heads_forward(self.target_critic_weights, self._seen(obs, base, action), picked)
        return (batch.reward + batch.discount * q.amin(0)[:, 0]).clamp_(0.0, 1.0)
