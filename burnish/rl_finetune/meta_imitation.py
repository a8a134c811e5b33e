"""Meta-imitation: many teachers, each an expert on one quadrotor, become one student that adapts to any in flight.

RAPTOR (arXiv 2509.11481): the student, a small recurrent network that is not told what it flies, flies the teachers'
vehicles; each vehicle's teacher, who knows it, says what it would have done there (DAgger, arXiv 1011.0686); and the
student regresses through time on all that was said, so that its memory becomes a model of what it flies. With
`teachers=one` the teacher is a single one that is told the vehicle's parameters (HIB, RMA).

Afterwards the student is polished: analytic policy gradients through the simulator, its own memory included (see
`analytic`). That is no imitation any more: it removes what is left of the distance to the target, which a small error
in an imitated command leaves behind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.compiling import check_compiler
from burnish.console import track
from burnish.contract import ACTION, ENVIRONMENT_STATE, STATE, Contract
from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError
from burnish.policies.base import Policy, make_policy, save_policy
from burnish.policies.optimizers import optimizer_state, restore_optimizer
from burnish.policies.recurrent import Recurrent, RecurrentConfig
from burnish.policies.resume import grouped, load_training, save_training
from burnish.rl_finetune.analytic import Cost, Stream
from burnish.rl_finetune.counts import check_counts
from burnish.rl_finetune.flight_teachers import Many, One, Teachers, tune
from burnish.rl_finetune.lessons import Lessons
from burnish.rl_finetune.polish import Polish
from burnish.run import Run
from burnish.sim.base import VecEnv
from burnish.sim.quadrotor.env import QuadrotorWorld
from burnish.sim.quadrotor.vehicles import Fleet

RELATIVE = tuple((name, f"target_{name}") for name in ("x", "y", "z", "vx", "vy", "vz"))
REPORT = 25
"""Updates of the polish between two reports."""
SCALES = (0.3, 0.5, 0.6, 1.5)
"""Of place, m, of the numbers of an attitude, of velocity, m/s, and of angular velocity, rad/s: what is much."""


@dataclass(frozen=True)
class MetaImitationConfig:
    """Steps are those of all lanes together."""

    auto_reset: ClassVar[bool] = True
    student: RecurrentConfig = field(default_factory=lambda: RecurrentConfig(relative=RELATIVE))
    fleet: Fleet = field(default_factory=lambda: Fleet(mass=(0.02, 4.0), spin_up=(0.0125, 0.15), spin_down=(0.02, 0.3),
                                                       wind=3.0, latency=(0.0, 0.01), by_ratio=True))  # fmt: skip
    """What is flown, here and by the student later: it refuses others."""
    teachers: Literal["many", "one"] = "many"
    """many: one expert per lane, each on its own vehicle. one: a single one, told the vehicle's parameters."""
    lanes: int = 512
    """Vehicles at once; of `many` teachers, so many."""
    tune_updates: int = 25
    rounds: int = 4
    """Of flying and regressing; in the first one the teachers fly."""
    mixing: float = 0.6
    """Share of the flying that teachers do in the second round; its powers in the later ones."""
    round_steps: int = 300
    """Of each flight."""
    updates: int = 40
    """Passes over a round's flights, a part of the lanes each."""
    batch_size: int = 512
    """Flights per pass."""
    window: int = 50
    """Steps through which gradients go back."""
    polish_window: int = 100
    polish_updates: int = 16_000
    """Windows of all lanes through the simulator's derivatives; 0 leaves it at imitation."""
    compiled: bool = True
    """The polish by `torch.compile`: four times as quick after a minute of compiling; needs a C++ compiler."""
    lr: float = 3e-3
    polish_lr: float = 2e-3
    max_grad_norm: float = 0.5
    cost: Cost = field(default_factory=Cost)
    longest: int = 1000
    """Steps after which a polished flight begins anew with another vehicle."""
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        counts = ("lanes", "round_steps", "updates", "batch_size", "window", "polish_window", "longest")
        check_counts("meta-imitation", self, *counts)
        if not 0 <= self.mixing <= 1:
            raise BurnishError(f"meta-imitation: mixing must be a share between 0 and 1, is {self.mixing}")

    def fresh(self, contract: Contract) -> Policy:
        """The student before it has learned anything."""
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            student = replace(self.student, trained=self.fleet.known)
            return make_policy("recurrent", contract, scales(contract), **vars(student))


def scales(contract: Contract) -> Stats:
    """Statistics that say what is much, of the observations of `quadrotor/hover`."""
    mean = {
        STATE: [0, 0, 1.5, *np.eye(3).ravel(), *[0] * 6],
        ENVIRONMENT_STATE: [0, 0, 1.5, 0, 0, 0],
        ACTION: [0.5] * 4,
    }
    place, turned, speed, rates = SCALES
    std = {
        STATE: [*[place] * 3, *[turned] * 9, *[speed] * 3, *[rates] * 3],
        ENVIRONMENT_STATE: [*[place] * 3, *[speed] * 3],
        ACTION: [0.5] * 4,
    }
    found = {}
    for key in contract.fields:
        middle, wide = np.array(mean[key], np.float32), np.array(std[key], np.float32)
        found[key] = {"mean": middle, "std": wide, "min": middle - 2 * wide, "max": middle + 2 * wide}
    return found


def train(
    run: Run, policy: Policy, env: VecEnv, demos: Demonstrations | None, cfg: MetaImitationConfig
) -> dict[str, float]:
    """Teach `policy`, a recurrent one, to fly `cfg.fleet`; saved as `run.folder/policy`. Resumes after the last round.

    Returns `env_steps`, the last `loss` (or `cost`, and the share `lost`, if it was polished), and the `median_m` and
    `worst_m` distance at the end of the last flights, if any came to their end.
    """
    if not isinstance(env, QuadrotorWorld) or not isinstance(policy, Recurrent):
        raise BurnishError(
            f"meta-imitation teaches a recurrent policy in quadrotor/hover, not {policy.name!r} in {env.task}"
        )
    learner = MetaImitation(policy, cfg)
    learner.resume(run)
    with track("imitating the teachers", cfg.rounds, learner.round) as advance_bar:
        while learner.round < cfg.rounds:
            metrics = learner.imitate()
            run.log(learner.env_steps, **metrics)
            learner.save(run)
            advance_bar(1, f"loss {metrics['loss']:.4f}, {metrics['median_m']:.3f} m")
    with track("polishing", cfg.polish_updates, learner.polished) as advance_bar:
        while learner.polished < cfg.polish_updates:
            updates = min(REPORT, cfg.polish_updates - learner.polished)
            metrics = learner.polish(updates)
            run.log(learner.env_steps, **metrics)
            learner.save(run)
            away = f", {metrics['median_m']:.3f} m" if "median_m" in metrics else ""
            advance_bar(updates, f"cost {metrics['cost']:.3f}{away}")
    save_policy(policy, run.folder / "policy")
    return {"env_steps": learner.env_steps, **learner.metrics}


class MetaImitation:
    """The student, what it was told so far, and its flights."""

    def __init__(self, student: Recurrent, cfg: MetaImitationConfig) -> None:
        if cfg.compiled:
            check_compiler()
        self.student, self.cfg = student, cfg
        self.generator = torch.Generator().manual_seed(cfg.seed)
        self.optimizer = torch.optim.Adam(student.parameters(), cfg.lr, betas=(0.9, 0.99))
        self.round, self.polished, self.env_steps = 0, 0, 0
        self.metrics: dict[str, float] = {}
        self._lessons = Lessons()

    @cached_property
    def _school(self) -> tuple[Teachers, Stream]:
        """Tuned teachers, and the vehicles they were tuned on."""
        cfg = self.cfg
        stream = Stream(cfg.fleet, cfg.lanes, cfg.round_steps, cfg.seed + 1)
        teachers = Many(cfg.lanes) if cfg.teachers == "many" else One(cfg.seed)
        tune(teachers, stream, cfg.tune_updates, cfg.cost)
        return teachers, stream

    @cached_property
    def _polish(self) -> Polish:
        cfg = self.cfg
        seed = cfg.seed + 2 + self.polished
        return Polish(self.student, cfg.fleet, cfg.cost, cfg.lanes, cfg.longest, seed, cfg.compiled)

    def imitate(self) -> dict[str, float]:
        """One round: fly, hear, regress."""
        cfg = self.cfg
        share = cfg.mixing**self.round
        away = self._lessons.fly(self.student, *self._school, cfg.round_steps, share, self.generator)
        self.env_steps += cfg.lanes * cfg.round_steps
        loss = self._regress()
        self.round += 1
        self.metrics = {"loss": loss, "median_m": float(away.median()), "worst_m": float(away.max())}
        return self.metrics

    def _regress(self) -> float:
        """Through time over the flights so far; the mean squared error, network units, of the last quarter."""
        cfg, losses = self.cfg, []
        for update in range(cfg.updates):
            self._set_lr(cfg.lr * 0.5 * (1 + math.cos(math.pi * (self.round + update / cfg.updates) / cfg.rounds)))
            newest = update % 2 == 1  # half of what is learned is of the newest flights
            flown = self._lessons.draw(cfg.batch_size, newest, self.generator)
            memory = self.student.begin(flown[0].shape[1])
            for first in range(0, cfg.round_steps, cfg.window):
                read, said, done = (rows[first : first + cfg.window] for rows in flown)
                memory, loss = self._window(read, said, done, memory.detach() if first else memory)
                losses.append(loss)
        return float(np.mean(losses[-len(losses) // 4 :]))

    def _window(self, read: Tensor, said: Tensor, done: Tensor, memory: Tensor) -> tuple[Tensor, float]:
        width, loss = self.student.config.width, torch.zeros(())
        for numbers, label, before in zip(read, said, done, strict=True):
            action, memory = self.student.step(numbers, torch.cat([memory[:, :width], before], dim=1))
            loss = loss + ((action - label[:, :-1]).square().mean(1) * label[:, -1]).mean()
        self._descend(loss / len(read))
        return memory, float(loss.detach()) / len(read)

    def polish(self, updates: int) -> dict[str, float]:
        """`updates` windows through the simulator's derivatives."""
        cfg = self.cfg
        for _ in range(updates):
            self._set_lr(cfg.polish_lr * (0.02 + 0.49 * (1 + math.cos(math.pi * self.polished / cfg.polish_updates))))
            self._descend(self._polish.fly(cfg.polish_window, self.generator))
            self.polished += 1
            self.env_steps += cfg.lanes * cfg.polish_window
        self.metrics = self._polish.tell()
        return self.metrics

    def _descend(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.student.parameters(), self.cfg.max_grad_norm)
        if torch.isfinite(norm):  # one flight that tumbles must not spoil the others'
            self.optimizer.step()

    def _set_lr(self, lr: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def save(self, run: Run) -> None:
        """What is needed to go on: the student and how far it is; what was said is asked anew."""
        kept = grouped(adam=optimizer_state(self.optimizer, list(self.student.parameters())))
        kept["generator"] = self.generator.get_state()
        progress = {"round": self.round, "polished": self.polished, "env_steps": self.env_steps}
        progress |= {"metrics": self.metrics}
        save_training(run, self.student, kept, progress)

    def resume(self, run: Run) -> None:
        """Go on after the last round saved in `run.folder`, if there is one."""
        saved = load_training(run)
        if saved is None:
            return
        self.student.load_state_dict(saved.weights)
        restore_optimizer(self.optimizer, list(self.student.parameters()), saved.under("adam/"))
        self.generator.set_state(saved.tensors["generator"])
        self.round, self.polished = saved.progress["round"], saved.progress["polished"]
        self.env_steps, self.metrics = saved.progress["env_steps"], dict(saved.progress["metrics"])
        run.rewind(self.env_steps)
