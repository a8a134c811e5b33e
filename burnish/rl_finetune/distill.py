"""On-policy distillation: a teacher becomes one student that needs one network evaluation per action.

DAgger (arXiv 1011.0686): the student acts, the teacher labels the states the student visits, and the student regresses
on everything seen so far. A teacher of chunks keeps its own queue along the student's path, but plans more often than
when it acts itself: a student without a queue cannot learn what depends on how old a chunk is.

A student may see what the teacher does not, and the other way round (asymmetric distillation, arXiv 1912.12294): where
it looks at points or images, what only a simulator knows is left to the teacher.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from tyro.conf import Fixed, Suppress

from burnish import registry
from burnish.checkpoint import Stats
from burnish.console import track
from burnish.contract import ACTION, ENVIRONMENT_STATE, Contract
from burnish.datasets.demonstrations import Demonstrations, compute_stats
from burnish.errors import BurnishError
from burnish.policies.base import Policy, save_policy
from burnish.policies.meanflow import MeanFlowConfig
from burnish.policies.optimizers import optimizer_state, restore_optimizer
from burnish.policies.resume import grouped, load_training, save_training
from burnish.rl_finetune.counts import check_counts
from burnish.run import Run
from burnish.sim.base import Obs, VecEnv, next_seed, with_looks
from burnish.sim.nonfinite import keep_observations


@dataclass(frozen=True)
class DistillConfig:
    """DAgger into a one-step policy. Steps are environment steps over all lanes."""

    auto_reset: ClassVar[bool] = True
    name: Annotated[str, Suppress, Fixed] = "meanflow"
    """Registered name of the student's kind."""
    student: Any = field(default_factory=lambda: MeanFlowConfig(horizon=1))
    """The student's own settings. MeanFlow: one network evaluation is all it needs."""
    points: int = 0
    """Points of the cloud the student looks at, at every step; 0 for none."""
    images: int = 0
    """Pixels per side of the images it looks at, at every step; 0 for none."""
    env_steps: int = 24_000
    rounds: int = 6
    """Rounds of acting and regressing; in the first one the teacher acts."""
    updates: int = 800
    """Gradient steps per round."""
    teacher_replan: int = 4
    """Actions per chunk of the teacher while it labels."""
    lanes: int = 20
    workers: int = 2
    batch_size: int = 256
    lr: float = 1e-3
    """Peak learning rate; falls to zero along a cosine over all rounds."""
    ema_decay: float = 0.995
    max_grad_norm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts("distill", self, "rounds", "lanes", "updates", "batch_size", "teacher_replan")
        if self.env_steps < self.rounds * self.lanes:
            raise BurnishError(
                f"distill: {self.env_steps} env_steps are no step for each of {self.lanes} lanes in {self.rounds} "
                f"rounds; give {self.rounds * self.lanes} or more"
            )

    @property
    def looks(self) -> dict[str, int]:
        """What the environment must show for it, as `make_env` calls that."""
        return {key: value for key, value in (("points", self.points), ("cameras", self.images)) if value}


def train(run: Run, policy: Policy, env: VecEnv, demos: Demonstrations | None, cfg: DistillConfig) -> dict[str, float]:
    """Distil `policy` in `env` (auto-reset, `cfg.lanes` lanes); the student is saved as `run.folder/policy`.

    Resumes after the last finished round. Returns `env_steps`, the student's last training `loss` (mean squared error,
    network units) and its `success` while acting in the last round.
    """
    distiller = Distiller(policy, env, cfg)
    distiller.resume(run)
    with track("distilling on-policy", cfg.rounds, distiller.round) as advance:
        while distiller.round < cfg.rounds:
            metrics = distiller.play_round(run)
            run.log(distiller.env_steps, **metrics)
            distiller.save(run)
            advance(1, f"student success {metrics['success']:.0%}")
    save_policy(distiller.average, run.folder / "policy")
    return {"env_steps": distiller.env_steps, **distiller.metrics}


class Distiller:
    """The loop's state: student, its running average, and every labelled state so far."""

    def __init__(self, teacher: Policy, env: VecEnv, cfg: DistillConfig) -> None:
        if teacher.contract.looks:
            raise BurnishError(
                f"the teacher reads {', '.join(teacher.contract.looks)}: a student that acts anew at every step would "
                "need them at every step; distil a policy of states, or use the teacher as it is"
            )
        self.teacher, self.env, self.cfg = teacher, env, cfg
        self.generator = torch.Generator().manual_seed(cfg.seed)
        with torch.random.fork_rng():
            torch.manual_seed(cfg.seed)
            self.student: Policy = registry.policies.load(cfg.name)(cfg.student, *_told(teacher, env, cfg.seed))
        if self.student.horizon != 1:
            raise BurnishError(f"the student plans {self.student.horizon} actions; give --distill.student.horizon 1")
        self.average = copy.deepcopy(self.student).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.student.parameters(), cfg.lr, weight_decay=1e-4, foreach=True)
        self.seen: list[Obs] = []
        self.labels: list[Tensor] = []
        self.round, self.env_steps = 0, 0
        self.metrics: dict[str, float] = {"loss": 0.0, "success": 0.0}

    def play_round(self, run: Run) -> dict[str, float]:
        """One round: act and label, then regress on all labels so far."""
        success = self._act(run)
        loss = self._regress(run)
        self.round += 1
        self.metrics = {"loss": loss, "success": success}
        return self.metrics

    def _act(self, run: Run) -> float:
        """Act for one round's steps, the pair labelling every state; returns the success rate of finished episodes."""
        env, reads = self.env, self.student.contract.observation
        teacher = self.teacher.agent(env.num_envs, replan=self.cfg.teacher_replan)
        student = self.average.agent(env.num_envs)
        first = int(torch.randint(2**31, (), generator=self.generator))
        seeds = [next_seed(first + lane) for lane in range(env.num_envs)]
        lanes: list[int] = list(range(env.num_envs))
        obs = env.reset(seeds)
        outcomes: list[bool] = []
        for _ in range(self.cfg.env_steps // self.cfg.rounds // env.num_envs):
            for agent in (teacher, student):
                agent.reset(lanes, [seeds[lane] for lane in lanes])
            obs = with_looks(obs, env, student)
            with keep_observations(obs, run.folder):
                label, action = teacher.act(obs), student.act(obs)
                step = env.step(label if self.round == 0 else action)
            self.seen.append({key: obs[key] for key in reads})
            self.labels.append(label)
            obs, lanes = step.obs, step.done.nonzero().flatten().tolist()
            for lane in lanes:
                outcomes.append(bool(step.terminated[lane]))
                seeds[lane] = next_seed(seeds[lane])
            self.env_steps += env.num_envs
        return sum(outcomes) / max(len(outcomes), 1)

    def _regress(self, run: Run) -> float:
        """`updates` steps of the student's `regression` on the labels; returns the mean loss of the round."""
        batch = {key: torch.cat([one[key] for one in self.seen]) for key in self.seen[0]}
        batch[ACTION] = torch.cat(self.labels)[:, None]
        self.seen, self.labels = [{key: batch[key] for key in self.seen[0]}], [batch[ACTION][:, 0]]
        total = 0.0
        self.student.train()
        for update in range(self.cfg.updates):
            progress = (self.round + update / self.cfg.updates) / self.cfg.rounds
            for group in self.optimizer.param_groups:
                group["lr"] = self.cfg.lr * 0.5 * (1 + math.cos(math.pi * progress))
            rows = torch.randint(len(batch[ACTION]), (self.cfg.batch_size,), generator=self.generator)
            some = {key: value[rows] for key, value in batch.items()}
            loss = self.student.regression(some, self.generator)
            if not torch.isfinite(loss):
                run.refuse("the distillation loss", float(loss), self.round * self.cfg.updates + update, some)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.student.parameters(), self.cfg.max_grad_norm, foreach=True)
            self.optimizer.step()
            total += float(loss.detach())
            self._average_weights()
        return total / self.cfg.updates

    @torch.no_grad()
    def _average_weights(self) -> None:
        torch._foreach_lerp_(list(self.average.parameters()), list(self.student.parameters()), 1.0 - self.cfg.ema_decay)

    def save(self, run: Run) -> None:
        """Everything needed to go on with the next round after a kill."""
        kept = grouped(
            adam=optimizer_state(self.optimizer, list(self.student.parameters())),
            average=self.average.state_dict(),
            seen={key: torch.cat([one[key] for one in self.seen]) for key in self.seen[0]},
        )
        kept |= {"labels": torch.cat(self.labels), "generator": self.generator.get_state()}
        progress = {"round": self.round, "env_steps": self.env_steps, "metrics": self.metrics}
        save_training(run, self.student, kept, progress)

    def resume(self, run: Run) -> None:
        """Go on after the last round saved in `run.folder`, if there is one."""
        saved = load_training(run)
        if saved is None:
            return
        self.student.load_state_dict(saved.weights)
        self.average.load_state_dict(saved.under("average/"))
        restore_optimizer(self.optimizer, list(self.student.parameters()), saved.under("adam/"))
        self.round, self.env_steps = saved.progress["round"], saved.progress["env_steps"]
        self.metrics = dict(saved.progress["metrics"])
        self.seen, self.labels = [saved.under("seen/")], [saved.tensors["labels"]]
        self.generator.set_state(saved.tensors["generator"])
        run.rewind(self.env_steps)


def _told(teacher: Policy, env: VecEnv, seed: int) -> tuple[Contract, Stats]:
    """What the student reads, and the statistics of it: the teacher's, and of what it looks at those of some starts."""
    offered = env.contract
    if not offered.looks:
        return teacher.contract, teacher.stats
    reads = offered.only(offered.observation.keys() - {ENVIRONMENT_STATE})
    obs = env.reset([next_seed(seed + lane) for lane in range(env.num_envs)])
    obs = {key: value.cpu().numpy() for key, value in (obs | env.look(range(env.num_envs))).items()}
    action = np.zeros((env.num_envs, *offered.action.shape), np.float32)
    starts = Demonstrations(reads, env.task, {key: obs[key] for key in reads.observation}, action, np.ones(1))
    return reads, compute_stats(starts) | {key: teacher.stats[key] for key in reads.fields if key in teacher.stats}
