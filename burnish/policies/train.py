"""Imitation: the same loop for every policy. Stops and resumes without changing a bit of the result on a CPU."""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any, Protocol

import torch
from torch import Tensor

from burnish import processes
from burnish.console import track
from burnish.policies.base import Learned, save_policy
from burnish.policies.optimizers import optimizer_state, restore_optimizer
from burnish.policies.resume import FOLDER, grouped, load_training, save_training
from burnish.run import Run


@dataclass(frozen=True)
class TrainConfig:
    """AdamW with a cosine schedule and an exponential moving average of the weights."""

    steps: int = 2_000
    batch_size: int = 256
    lr: float = 1e-3
    """Peak learning rate."""
    warmup_steps: int = 100
    weight_decay: float = 1e-4
    max_grad_norm: float = 1.0
    ema_decay: float = 0.995
    seed: int = 0
    device: str = "cpu"
    save_every: int = 500
    log_every: int = 50


class Sampler(Protocol):
    """Where batches come from; `batch` is a pure function of the step, so a resumed run sees the same ones."""

    def batch(self, step: int) -> Mapping[str, Tensor]:
        """The batch of training step `step` ≥ 0."""
        ...


def train(run: Run, policy: Learned, sampler: Sampler, cfg: TrainConfig) -> dict[str, Any]:
    """Train `policy`; the averaged weights are saved as `run.folder/policy`. Returns `steps` and the last `loss`.

    Raises:
        NonFiniteError: the loss is NaN or infinite; the batch is saved in the run folder, the weights are not.
    """
    trainer = _trainer(policy.to(cfg.device).train(), cfg)
    trainer.resume(run)
    with track(f"training {policy.name}", cfg.steps, trainer.done) as advance:
        while trainer.done < cfg.steps:
            metrics = trainer.step(sampler.batch(trainer.done), run)
            if trainer.done % cfg.log_every == 0 or trainer.done == cfg.steps:
                numbers = trainer.shared(metrics)
                trainer.loss = numbers["loss"]
                run.log(trainer.done, **numbers)
            if trainer.done % cfg.save_every == 0 and trainer.done < cfg.steps:
                trainer.save(run)
            advance(1, f"loss {trainer.loss:.3g}" if math.isfinite(trainer.loss) else "")
    trainer.finish(run)
    if processes.rank() == 0:
        shutil.rmtree(run.folder / FOLDER, ignore_errors=True)
    return {"steps": cfg.steps, "loss": trainer.loss, "parameters": sum(p.numel() for p in policy.parameters())}


def _trainer(policy: Learned, cfg: TrainConfig) -> Trainer:
    if processes.count() == 1:
        return Trainer(policy, cfg)
    from burnish.policies.distributed import DistributedTrainer

    return DistributedTrainer(policy, cfg)


class Trainer:
    """Weights, their average, optimizer and random stream of one run."""

    def __init__(self, policy: Learned, cfg: TrainConfig) -> None:
        self.policy, self.cfg, self.done, self.loss = policy, cfg, 0, math.nan
        # What is not trained is not copied: of a frozen backbone one is enough.
        frozen = {id(parameter): parameter for parameter in policy.parameters() if not parameter.requires_grad}
        learning = [parameter.requires_grad for parameter in policy.parameters()]
        self.average = copy.deepcopy(policy, frozen).eval().requires_grad_(False)
        self.parameters: list[Tensor] = list(compress(policy.parameters(), learning))
        self.averaged: list[Tensor] = list(compress(self.average.parameters(), learning))
        self.optimizer = torch.optim.AdamW(self.parameters, cfg.lr, weight_decay=cfg.weight_decay, fused=True)
        self.generator = torch.Generator(cfg.device).manual_seed(cfg.seed)
        self.mixed = torch.device(cfg.device).type == "cuda"

    def step(self, batch: Mapping[str, Tensor], run: Run) -> dict[str, Tensor]:
        """One update; returns scalar metrics as tensors, so that nothing waits for a device."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.cfg.lr * learning_rate_factor(self.done, self.cfg)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.mixed):
            loss, metrics = self.objective(batch)
        if not torch.isfinite(loss):
            run.refuse(f"the loss of {self.policy.name!r}", float(loss.detach()), self.done, batch)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.cfg.max_grad_norm, foreach=True)
        self.optimizer.step()
        # A short memory at first: the average must not remember the random start.
        decay = min(self.cfg.ema_decay, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            torch._foreach_lerp_(self.averaged, self.parameters, 1 - decay)
        self.done += 1
        return {"loss": loss.detach(), "grad_norm": norm, **metrics}

    def objective(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and metrics of a batch."""
        return self.policy.loss(batch, self.generator)

    def shared(self, metrics: Mapping[str, Tensor]) -> dict[str, float]:
        """Metrics as numbers."""
        return {name: float(value) for name, value in metrics.items()}

    def finish(self, run: Run) -> None:
        """Save the averaged weights as `run.folder/policy`."""
        save_policy(self.average, run.folder / "policy")

    def progress(self) -> dict[str, Any]:
        """Plain numbers to go on from."""
        return {"done": self.done, "loss": self.loss if math.isfinite(self.loss) else None}

    def proceed(self, progress: Mapping[str, Any], run: Run) -> None:
        """Go on from there."""
        self.done, self.loss = progress["done"], progress["loss"] or math.nan
        run.rewind(self.done)

    def save(self, run: Run) -> None:
        """Everything a resumed run needs, as one checkpoint folder."""
        kept = grouped(average=self.average.state_dict(), adam=optimizer_state(self.optimizer, self.parameters))
        kept["generator"] = self.generator.get_state()
        save_training(run, self.policy, kept, self.progress())

    def resume(self, run: Run) -> None:
        """Go on from the checkpoint in `run.folder`, if there is one."""
        saved = load_training(run)
        if saved is None:
            return
        self.policy.load_state_dict(saved.weights)
        self.average.load_state_dict(saved.under("average/"))
        restore_optimizer(self.optimizer, self.parameters, saved.under("adam/"))
        self.generator.set_state(saved.tensors["generator"])
        self.proceed(saved.progress, run)


def learning_rate_factor(step: int, cfg: TrainConfig) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    if step < cfg.warmup_steps:
        return (step + 1) / cfg.warmup_steps
    progress = (step - cfg.warmup_steps) / max(cfg.steps - cfg.warmup_steps, 1)
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
