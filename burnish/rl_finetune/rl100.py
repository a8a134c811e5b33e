"""RL-100 (arXiv 2510.14830): offline rounds behind a gate, then online, then one step.

A round learns critics and a model of what decisions lead to from all data so far, follows their advantages with the
clipped objective on the policy's own chain (section 4.2), and accepts the result only if the model expects it to be
better by a margin (section 4.3); what is not accepted is taken back, which the released code forgets. The policy in
force then plays, its episodes join the data, and it imitates the successful ones once more. Online, the same objective
follows generalised advantages (section 4.4). A one-step student imitates the whole chain from the same noise (section
4.5) and is saved beside the policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from burnish.console import say
from burnish.contract import ACTION
from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy, save_policy
from burnish.policies.optimizers import learner_state, optimizer_state, restore_learner, restore_optimizer
from burnish.policies.resume import grouped
from burnish.rl_finetune.arena import Arena
from burnish.rl_finetune.decisions import Decisions, from_named, joined, of_demonstrations, of_episodes
from burnish.rl_finetune.dppo import ActorCritic, DppoConfig
from burnish.rl_finetune.dynamics import Dynamics, DynamicsConfig
from burnish.rl_finetune.episodes import Episode
from burnish.rl_finetune.imagine import CONDITION, imagining
from burnish.rl_finetune.iql import Iql, IqlConfig
from burnish.rl_finetune.likelihood import Experience
from burnish.rl_finetune.loop import refine
from burnish.rl_finetune.one_step import OneStep, OneStepConfig
from burnish.rl_finetune.ranks import rank_correlation
from burnish.run import Run
from burnish.sim.base import VecEnv


@dataclass(frozen=True, kw_only=True)
class Rl100Config(DppoConfig):
    """The paper's stages; what is not said here is as online.

    The paper sums log densities over a chunk and takes learning rates of 1e-6 to 1e-5, at which an independent
    reproduction found nothing to happen, or a collapse. Here they are averaged, as DPPO does.
    """

    rounds: int = 8
    """Offline rounds; each plays `episodes`. None is left out, also if they play more than `env_steps`."""
    offline_decisions: int = 4_096
    """States from the data at which the policy draws anew, and which it then learns from, in each round."""
    margin: float = 0.05
    """δ of the gate, as a share of |Ĵ| of the policy in force."""
    imitation: int = 3_000
    """Gradient steps of imitation on all successes after each round."""
    imitation_lr: float = 3e-4
    critic: IqlConfig = field(default_factory=IqlConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    one_step: OneStepConfig = field(default_factory=OneStepConfig)


class Rl100(ActorCritic):
    """Everything RL-100 keeps: data, critics, model, policy and student."""

    cfg: Rl100Config

    def __init__(self, policy: Policy, env: VecEnv | Arena, cfg: Rl100Config, data: Decisions) -> None:
        super().__init__(policy, env, cfg)
        self.data, self.rounds = data, 0
        action = self.player.replan * policy.contract.action.shape[-1]
        self.critic = Iql(policy.state_dim, action, cfg.critic, cfg.seed)
        self.dynamics = Dynamics(policy.state_dim, action, cfg.dynamics, cfg.seed)
        self.student = OneStep(policy, cfg.one_step, cfg.seed)
        self.imagined = imagining(policy, cfg.noise)
        self.imitator = torch.optim.AdamW(self.parameters, cfg.imitation_lr, weight_decay=0.0, fused=True)
        self.estimates: list[float] = []
        self.rates: list[float] = []

    @property
    def finished(self) -> bool:
        """Not before the last offline round."""
        return self.rounds >= self.cfg.rounds and super().finished

    def iterate(self, run: Run) -> dict[str, float]:
        """An offline round, while there are any left; then online."""
        if self.rounds < self.cfg.rounds:
            return self.offline(run)
        return super().iterate(run)

    def play(self) -> list[Episode]:
        """What is played joins the data."""
        played = super().play()
        self.data = joined([self.data, of_episodes(self.policy, played)])
        return played

    def offline(self, run: Run) -> dict[str, float]:
        """Learn values, improve, pass the gate or go back, play, imitate what succeeded."""
        with self.clock.measure("update"):
            updates = self.cfg.critic.updates if self.rounds == 0 else self.cfg.critic.updates // 2
            loss = self.critic.fit(self.data, self.player.replan, updates, self.generator)
            error = self.dynamics.fit(self.data, self.player.replan, self.generator)
            good, before = self._weights(), self.expected()
            numbers = self.improve(self.reconsidered(), run, self.imagined)
            after = self.expected()
            accepted = after - before >= self.cfg.margin * abs(before) and not self.diverged
            if not accepted:
                self.chain.load_state_dict(good)
                self.diverged = False
        count = len(self.success)
        self.play()
        rate = self.rate_since(count)
        self.rounds += 1
        self.estimates.append(after if accepted else before)
        self.rates.append(rate)
        with self.clock.measure("update"):
            imitated = self.imitate()
            self.student.fit(self.policy, self.data.state, self.generator)
        rank = rank_correlation(self.estimates, self.rates)
        verdict = "accepted" if accepted else "taken back"
        say(f"  round {self.rounds}: Ĵ {before:.3f} → {after:.3f}, {verdict}; success {rate:.0%}; rank {rank:.2f}")
        found = {"estimate_before": before, "estimate": after, "accepted": float(accepted), "rank_correlation": rank}
        found |= {"critic_loss": loss, "model_error": error, "imitation": imitated}
        return {"success": rate, **found, **numbers}

    @torch.no_grad()
    def reconsidered(self) -> Experience:
        """States of the data, with what the policy would do there now, judged by Q − V."""
        which = torch.randint(len(self.data), (self.cfg.offline_decisions,), generator=self.generator)
        obs = {CONDITION: self.data.state[which]}
        noise = torch.randn(len(which), *self.imagined.noise_shape, generator=self.generator)
        trace = self.imagined.draw(obs, noise)
        action = trace.chunk[:, : self.player.replan].clamp(-1, 1)
        advantage = self.critic.advantage(obs[CONDITION], action)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
        old = self.log_prob(self.imagined, obs, trace)
        return Experience(obs, trace, advantage, old)

    def expected(self) -> float:
        """Ĵ of the policy as it is."""
        starts = self.data.state

        def decide(state: Tensor, generator: torch.Generator) -> Tensor:
            noise = torch.randn(len(state), *self.imagined.noise_shape, generator=generator)
            return self.imagined.draw({CONDITION: state}, noise).chunk[:, : self.player.replan].clamp(-1, 1)

        return self.dynamics.estimate(decide, starts, self.critic, self.cfg.seed)

    def imitate(self) -> float:
        """Gradient steps of the policy's own loss on every success so far; the last loss."""
        good, loss = self.data.good.nonzero()[:, 0], torch.zeros(())
        for _ in range(self.cfg.imitation if len(good) else 0):
            picked = good[torch.randint(len(good), (self.cfg.batch_size // 2,), generator=self.generator)]
            rows = self.data.rows(picked)
            chunk = self.policy.normalizer.action(rows.action)
            batch = {**rows.obs, ACTION: chunk, f"{ACTION}_is_pad": ~rows.inside}
            loss = self.policy.loss(batch, self.generator)[0]
            self.imitator.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, self.cfg.max_grad_norm, foreach=True)
            self.imitator.step()
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """With data, critics, model and student."""
        kept = grouped(
            data=self.data.named(),
            imitator=optimizer_state(self.imitator, self.parameters),
            student=self.student.policy.state_dict(),
        )
        for name, module, optimizer in self._learners():
            kept |= learner_state(name, module, optimizer)
        kept["history"] = torch.tensor([self.estimates, self.rates], dtype=torch.float64)
        return super().state() | kept

    def load(self, tensors: Mapping[str, Tensor], under: Any) -> None:
        """With data, critics, model and student."""
        super().load(tensors, under)
        self.data = from_named(under("data/"))
        for name, module, optimizer in self._learners():
            restore_learner(name, module, optimizer, under)
        restore_optimizer(self.imitator, self.parameters, under("imitator/"))
        self.student.policy.load_state_dict(under("student/"))
        self.estimates, self.rates = tensors["history"].tolist()
        self.rounds = len(self.rates)

    def _learners(self) -> list[tuple[str, nn.Module, torch.optim.Optimizer]]:
        return [
            ("critic", self.critic, self.critic.optimizer),
            ("dynamics", self.dynamics, self.dynamics.optimizer),
        ]


def train(
    run: Run, policy: Policy, env: VecEnv | Arena, demos: Demonstrations | None, cfg: Rl100Config
) -> dict[str, Any]:
    """Refine all of `policy`; see `loop.refine`. The one-step student is `run.folder/one_step`."""
    if demos is None:
        raise BurnishError("RL-100 begins offline, with demonstrations; give them: --dataset DATASET")
    policy.contract.need_unit_actions("RL-100")
    if policy.contract.looks:
        raise BurnishError(f"RL-100's model imagines numbers; the policy reads {', '.join(policy.contract.looks)} too")
    replan = min(policy.replan if cfg.replan is None else cfg.replan, policy.horizon)
    trainer = Rl100(policy, env, cfg, of_demonstrations(policy, demos, replan))
    result = refine(run, trainer, "RL-100")
    trainer.student.fit(policy, trainer.data.state, trainer.generator, final=True)
    save_policy(trainer.student.policy, run.folder / "one_step")
    return result | {"rank_correlation": rank_correlation(trainer.estimates, trainer.rates)}
