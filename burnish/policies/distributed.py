"""One training run in several processes, as `accelerate launch` starts them: each computes its share of every batch.

A global batch of B is B / count rows in each process; gradients are averaged, so that the steps are those of one
process up to rounding and the noise, which every process draws from a stream of its own. With FSDP (version 2)
parameters, their averages and the optimizer's state are sharded, and put together again when the first process saves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from burnish import processes
from burnish.errors import BurnishError
from burnish.policies.base import Batch, Learned, save_policy
from burnish.policies.resume import FOLDER, grouped, load_training, save_training
from burnish.policies.train import TrainConfig, Trainer
from burnish.run import Run


def join(device: str) -> None:
    """Meet the other processes, if there are any; `cuda` then means this one's GPU."""
    if processes.count() > 1:
        _accelerator(device)


def wait() -> None:
    """Until every process is here."""
    if processes.count() > 1:
        torch.distributed.barrier()


@cache
def _accelerator(device: str) -> Any:
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"  # every process reads the weights itself
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs
    except ImportError as error:
        raise BurnishError(
            f"several processes need the package accelerate: `pip install accelerate` ({error})"
        ) from error
    # Of a backbone's last layer an expert reads keys and values alone: some adapters get no gradient.
    settings = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=torch.device(device).type == "cpu", mixed_precision="no", kwargs_handlers=[settings])


class Objective(nn.Module):
    """A policy's loss as a module's `forward`, which is what DDP and FSDP wrap."""

    def __init__(self, policy: Learned) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """`Learned.loss`."""
        return self.policy.loss(batch, generator)


class DistributedTrainer(Trainer):
    """The same steps in every process, on its own rows."""

    def __init__(self, policy: Learned, cfg: TrainConfig) -> None:
        """Raises `BurnishError`: the batch cannot be shared evenly, or FSDP of version 1."""
        self.rank, self.count = processes.rank(), processes.count()
        if cfg.batch_size % self.count:
            raise BurnishError(
                f"train.batch_size {cfg.batch_size} cannot be shared by {self.count} processes; take a multiple of that"
            )
        super().__init__(policy, cfg)
        accelerator = _accelerator(cfg.device)
        plugin = getattr(accelerator.state, "fsdp_plugin", None)
        if plugin is not None and plugin.fsdp_version != 2:
            raise BurnishError("FSDP of version 1 is not supported; launch with --fsdp_version 2")
        del self.average  # it would keep a frozen backbone whole that is about to be sharded
        self.module, optimizer = accelerator.prepare(Objective(policy), self.optimizer)
        self.optimizer = optimizer.optimizer
        self.parameters = [parameter for parameter in policy.parameters() if parameter.requires_grad]
        self.averaged = [parameter.detach().clone() for parameter in self.parameters]
        self.generator.manual_seed(cfg.seed + (self.rank << 32))

    def objective(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and metrics of this process's rows."""
        rows = self.cfg.batch_size // self.count
        own = {key: value[self.rank * rows : (self.rank + 1) * rows] for key, value in batch.items()}
        return self.module(own, self.generator)

    def shared(self, metrics: Mapping[str, Tensor]) -> dict[str, float]:
        """Means over all processes."""
        names = sorted(metrics)
        values = torch.stack([_whole(metrics[name]).float() for name in names])
        torch.distributed.all_reduce(values)
        return dict(zip(names, (values / self.count).tolist(), strict=True))

    def finish(self, run: Run) -> None:
        """The first process saves the averaged weights, the others wait."""
        weights = self._weights(self.averaged)
        if self.rank == 0:
            save_policy(self.policy, run.folder / "policy", weights=weights)
        wait()

    def save(self, run: Run) -> None:
        """As one process does, with the random stream of every process."""
        kept = grouped(average=self._weights(self.averaged))
        for index, parameter in enumerate(self.parameters):
            for key, value in sorted(self.optimizer.state[parameter].items()):  # all ask in one order
                kept[f"adam/{index}/{key}"] = _whole(value)
        stream = self.generator.get_state().to(self.generator.device)
        streams = [torch.empty_like(stream) for _ in range(self.count)]
        torch.distributed.all_gather(streams, stream)
        kept |= grouped(generator={str(rank): state for rank, state in enumerate(streams)})
        weights = self._weights(self.parameters)
        if self.rank == 0:
            save_training(run, self.policy, kept, self.progress(), weights=weights)
        wait()

    def resume(self, run: Run) -> None:
        """Go on from the checkpoint in `run.folder`, if there is one. Raises `BurnishError` if others made it."""
        saved = load_training(run)
        if saved is None:
            return
        streams = saved.under("generator/")
        if len(streams) != self.count:
            raise BurnishError(
                f"{run.folder / FOLDER}: made by {len(streams) or 1} processes, this run has {self.count}; "
                "launch as many as before, or choose another --out"
            )
        names = self._names()
        average = saved.under("average/")
        with torch.no_grad():
            for index, (parameter, averaged) in enumerate(zip(self.parameters, self.averaged, strict=True)):
                parameter.copy_(_share(saved.weights[names[index]], parameter))
                averaged.copy_(_share(average[names[index]], parameter))
                adam = saved.under(f"adam/{index}/")
                self.optimizer.state[parameter] = {name: _share(value, parameter) for name, value in adam.items()}
        self.generator.set_state(streams[str(self.rank)])
        self.proceed(saved.progress, run)

    def _names(self) -> list[str]:
        return [name for name, parameter in self.policy.named_parameters() if parameter.requires_grad]

    def _weights(self, values: list[Tensor]) -> dict[str, Tensor]:
        """The policy's whole state with `values` in place of what is trained; every process must ask."""
        known = {id(parameter): value for parameter, value in zip(self.parameters, values, strict=True)}
        named = self.policy.named_parameters(remove_duplicate=False)
        chosen = {name: known[id(parameter)] for name, parameter in named if id(parameter) in known}
        return {key: _whole(chosen.get(key, value)) for key, value in self.policy.state_dict().items()}


def _whole(value: Any) -> Tensor:
    """A sharded tensor put together from all processes; any other as it is."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def _share(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of `value`, on its device and sharded as `like` is; counters are everybody's."""
    value = value.to(like.device)
    if not hasattr(like, "placements") or value.shape != like.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = like.device_mesh, like.placements  # pyright: ignore[reportAttributeAccessIssue]
    return distribute_tensor(value, mesh, placements, src_data_rank=None)  # each has read the file itself
