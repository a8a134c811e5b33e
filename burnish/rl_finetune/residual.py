"""Residual off-policy RL on a frozen chunked policy, from the sparse success signal only.

ResFiT, arXiv 2509.19301: a = a_base + π_θ(s, a_base); the base is never updated, the correction's last layer starts at
zero, a REDQ ensemble judges the full action, and half of every batch comes from the demonstrations.
Own episodes that succeeded count as demonstrations (self-imitation, arXiv 1806.05635).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from burnish.console import say, track
from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy, save_policy
from burnish.policies.residual import ResidualPolicy
from burnish.policies.resume import load_training, save_training
from burnish.rl_finetune.arena import Arena, Exploration, arena
from burnish.rl_finetune.clock import Clock
from burnish.rl_finetune.critics import Learner, LearnerConfig
from burnish.rl_finetune.offline import correction_scale, demonstration_replay
from burnish.rl_finetune.outcomes import Outcomes
from burnish.run import Run
from burnish.sim.base import VecEnv


@dataclass(frozen=True)
class ResidualConfig:
    """Residual RL. Steps are environment steps over all lanes; noise is a share of the largest correction."""

    auto_reset: ClassVar[bool] = True
    env_steps: int = 48_000
    warmup_steps: int = 4_000
    """Steps of base + uniform noise before the first update (ResFiT: 10,000)."""
    warmup_scale: float = 0.4
    lanes: int = 20
    workers: int = 2
    action_scale: float = 0.5
    """Largest correction, as a share of how far a number of the action reaches (`offline.correction_scale`)."""
    hidden: int = 128
    n_step: int = 5
    gamma: float = 0.99
    batch_size: int = 256
    success_fraction: float = 0.5
    """Share of every batch that comes from demonstrations and from own episodes that succeeded."""
    updates_per_step: float = 1.0
    """Critic updates per environment step (UTD)."""
    actor_every: int = 2
    """Critic updates per actor update."""
    noise: float = 0.3
    """Largest exploration noise; lane i of N explores with noise · (i + 1) / N."""
    noise_memory: float = 0.5
    """Share of the noise that stays from one step to the next: 0 is white, near 1 it pushes one way for a while."""
    critic_warmup: int = 4_000
    """Critic-only updates before the actor's first (ResFiT: 10,000), made when the warm-up ends."""
    log_every: int = 2_000
    seed: int = 0
    learner: LearnerConfig = field(default_factory=LearnerConfig)


def train(
    run: Run, policy: Policy, env: VecEnv | Arena, demos: Demonstrations | None, cfg: ResidualConfig
) -> dict[str, float | None]:
    """Refine the frozen `policy` in `env` (auto-reset, `cfg.lanes` lanes); the pair is saved as `run.folder/policy`.

    Interrupted runs resume from the last log interval with replay, weights and optimizer; episodes under way restart.
    Returns `env_steps`, `success` of the last 100 training episodes (with exploration noise) and the share of wall time
    in environment, inference and update.
    """
    if demos is None:
        raise BurnishError("residual RL draws half of every batch from demonstrations; give them: --dataset DATASET")
    scale = correction_scale(policy, demos, cfg.action_scale)
    pair = ResidualPolicy.around(policy, hidden=cfg.hidden, action_scale=scale)
    trainer = Trainer(pair, env, demos, cfg, run)
    trainer.begin()
    with track("refining by residual RL", cfg.env_steps, trainer.env_steps) as advance:
        while trainer.env_steps < cfg.env_steps:
            before = trainer.env_steps
            trainer.step()
            success = trainer.recent_success
            advance(trainer.env_steps - before, "" if success is None else f"success {success:.0%}")
            if trainer.env_steps // cfg.log_every > before // cfg.log_every:
                trainer.log()
                trainer.save()
    trainer.export_actor()
    save_policy(pair, run.folder / "policy")
    shares = trainer.clock.shares()
    say("  wall time: " + ", ".join(f"{share:.0%} {name.removesuffix('_share')}" for name, share in shares.items()))
    return {"env_steps": trainer.env_steps, "success": trainer.recent_success} | shares | trainer.arena.report()


class Trainer:
    """The loop's state: lanes acting, replay filling, actor and critics learning."""

    def __init__(
        self, pair: ResidualPolicy, env: VecEnv | Arena, demos: Demonstrations, cfg: ResidualConfig, run: Run
    ) -> None:
        self.pair, self.cfg, self.run = pair, cfg, run
        self.generator = torch.Generator().manual_seed(cfg.seed)
        actor = pair.actor.detach().clone()
        self.learner = Learner(pair.network, actor, pair.reach, cfg.learner, self.generator)
        self.clock, self.arena = Clock(), arena(env)
        exploration = Exploration(cfg.warmup_scale, cfg.noise, cfg.noise_memory, cfg.n_step, cfg.gamma)
        self.collector = self.arena.collector(pair, exploration, self.generator, self.clock, run.folder)
        room = cfg.env_steps + self.collector.most
        self.replay = demonstration_replay(
            pair.base, demos, n_step=cfg.n_step, gamma=cfg.gamma, seed=cfg.seed, room=room
        )
        self.outcomes = Outcomes(room)
        self.env_steps, self.updates, self.begun = 0, 0, 0
        self.metrics = {"critic_loss": 0.0, "q": 0.0}

    @property
    def recent_success(self) -> float | None:
        """Of the last 100 episodes; None as long as only the quick successes of the first ones are over."""
        steps = (self.env_steps - self.begun) // self.collector.num_envs
        return self.outcomes.recent(steps >= self.arena.max_episode_steps)

    def step(self) -> None:
        """What was played, then the updates that are due."""
        warm_up = self.env_steps < self.cfg.warmup_steps
        played = self.collector.collect(self.learner.actor.flat, self.updates, warm_up=warm_up)
        if played.transitions is not None:
            self.replay.add(played.transitions)
        self.outcomes.add(played)
        self.env_steps += played.env_steps
        with self.clock.measure("update"):
            self._update()

    def _update(self) -> None:
        cfg = self.cfg
        if self.env_steps < cfg.warmup_steps:
            return
        due = cfg.critic_warmup + int((self.env_steps - cfg.warmup_steps) * cfg.updates_per_step) - self.updates
        if due <= 0:
            return
        episodes = self.replay.episodes
        good, own = self.outcomes.succeeded[episodes].nonzero()[:, 0], episodes.nonzero()[:, 0]
        from_good = int(cfg.batch_size * cfg.success_fraction)
        self.learner.anneal(self.env_steps / cfg.env_steps)
        for _ in range(due):
            rows = [
                self.replay.sample(from_good, self.generator, good),
                self.replay.sample(cfg.batch_size - from_good, self.generator, own),
            ]
            batch = self.replay.unpack(torch.cat(rows))
            self.metrics["critic_loss"] = loss = float(self.learner.update_critic(batch))
            if not math.isfinite(loss):
                self.run.refuse("the critic's loss", loss, self.updates, batch._asdict())
            self.updates += 1
            if self.updates > cfg.critic_warmup and self.updates % cfg.actor_every == 0:
                self.metrics["q"] = float(self.learner.update_actor(batch, self.outcomes.succeeded[batch.episode]))

    def log(self) -> None:
        """Success (once it means something), critic loss and mean Q at this environment step."""
        success = self.recent_success
        known = {} if success is None else {"success": success}
        self.run.log(self.env_steps, **known, updates=self.updates, **self.metrics)

    def export_actor(self) -> None:
        """Put the averaged actor into the pair."""
        with torch.no_grad():
            self.pair.actor.copy_(self.learner.average_actor)

    def save(self) -> None:
        """Everything needed to go on after a kill, as one checkpoint folder."""
        self.export_actor()
        replay = {"replay": self.replay.rows[: len(self.replay)], "generator": self.generator.get_state()}
        replay["succeeded"] = self.outcomes.succeeded
        progress = {"env_steps": self.env_steps, "updates": self.updates, "outcomes": self.outcomes.ends}
        save_training(self.run, self.pair, self.learner.state() | replay, progress)

    def begin(self) -> None:
        """Begin to play; from the checkpoint in the run's folder on, if there is one."""
        saved = load_training(self.run)
        if saved is None:
            self.collector.begin(1)
            return
        training = saved.tensors
        for key, value in self.learner.state().items():
            value.copy_(training[key])
        self.replay.rows[: len(training["replay"])] = training["replay"]
        self.replay.added = len(training["replay"])
        self.generator.set_state(training["generator"])
        self.env_steps, self.updates = saved.progress["env_steps"], saved.progress["updates"]
        self.begun = self.env_steps
        self.outcomes.ends, self.outcomes.succeeded = list(saved.progress["outcomes"]), training["succeeded"].clone()
        self.run.rewind(self.env_steps)
        self.collector.begin(int(self.replay.episodes.max()) + 1)
