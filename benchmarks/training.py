"""Training throughput on a CPU: our diffusion UNet and loop against lerobot's own, samples per second.

`uv run python benchmarks/training.py [--quick]`. The same data, batch (64) and number of parameters. lerobot's side is
what `lerobot-train` runs: LeRobotDataset, its DataLoader without workers or with one per core of two (both are
measured, the faster one counts), its preprocessor, optimizer and schedule presets, and its `update_policy`; only
`accelerate` is replaced by plain calls, which costs less. Ours also keeps the running average of the weights, which
lerobot's does not. Runs alternate and medians are compared. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lerobot_peer
import torch

from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations
from burnish.datasets.store import write_dataset
from burnish.policies.train import TrainConfig, Trainer

BATCH = 64


class PlainAccelerator:
    """What `update_policy` asks of `accelerate` in one process on a CPU."""

    num_processes = 1

    def autocast(self) -> Any:
        return nullcontext()

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def clip_grad_norm_(self, parameters: Any, max_norm: float) -> torch.Tensor:
        return torch.nn.utils.clip_grad_norm_(parameters, max_norm)

    def unwrap_model(self, model: Any, **_: Any) -> Any:
        return model


class Ours:
    """Our loop: `Trainer` on a `ChunkSampler`."""

    def __init__(self, demos: Demonstrations, folder: Path) -> None:
        policy = lerobot_peer.our_policy("diffusion", demos)
        self.parameters = lerobot_peer.count(policy)
        self.trainer = Trainer(policy.train(), TrainConfig(batch_size=BATCH))
        self.sampler = ChunkSampler(demos, policy.horizon, BATCH, seed=0)
        self.folder = folder

    def step(self) -> None:
        self.trainer.step(self.sampler.batch(self.trainer.done), self.folder)


class LeRobot:
    """lerobot's loop (lerobot/scripts/lerobot_train.py)."""

    def __init__(self, root: Path, parameters: int, workers: int) -> None:
        from lerobot.datasets.factory import resolve_delta_timestamps
        from lerobot.datasets.lerobot_dataset import LeRobotDataset
        from lerobot.datasets.sampler import EpisodeAwareSampler
        from lerobot.policies.factory import make_pre_post_processors
        from lerobot.scripts.lerobot_train import update_policy
        from lerobot.utils.logging_utils import AverageMeter, MetricsTracker

        self.policy = lerobot_peer.lerobot_policy(parameters)
        config = self.policy.config
        dataset = LeRobotDataset("benchmark/random", root=root, video_backend="pyav")
        deltas = resolve_delta_timestamps(config, dataset.meta)
        dataset = LeRobotDataset("benchmark/random", root=root, delta_timestamps=deltas, video_backend="pyav")
        first, last = (dataset.meta.episodes[f"dataset_{end}_index"] for end in ("from", "to"))
        sampler = EpisodeAwareSampler(first, last, drop_n_last_frames=config.drop_n_last_frames, shuffle=True)
        many = {"prefetch_factor": 4, "persistent_workers": True, "multiprocessing_context": "spawn"} if workers else {}
        loader = torch.utils.data.DataLoader(dataset, BATCH, sampler=sampler, num_workers=workers, **many)
        self.batches = self._cycle(loader)
        self.preprocess, _ = make_pre_post_processors(config, dataset_stats=dataset.meta.stats)
        self.optimizer = config.get_optimizer_preset().build(self.policy.get_optim_params())
        self.clip = config.get_optimizer_preset().grad_clip_norm
        self.schedule = config.get_scheduler_preset().build(self.optimizer, 100_000)
        names = ("loss", "grad_norm", "lr", "update_s", "dataloading_s", "samples_per_s")
        meters = {name: AverageMeter(name) for name in names}
        self.accelerator: Any = PlainAccelerator()
        self.tracker = MetricsTracker(
            BATCH, dataset.num_frames, dataset.num_episodes, meters, accelerator=self.accelerator
        )
        self.update = update_policy

    def step(self) -> None:
        begin = time.perf_counter()
        batch = self.preprocess(next(self.batches))
        self.tracker.dataloading_s = time.perf_counter() - begin
        self.tracker, _ = self.update(
            self.tracker, self.policy, batch, self.optimizer, self.clip,
            accelerator=self.accelerator, lr_scheduler=self.schedule,
        )  # fmt: skip
        self.tracker.step()

    @staticmethod
    def _cycle(loader: Any) -> Iterator[Any]:
        while True:
            yield from loader


def throughput(step: Callable[[], None], steps: int) -> float:
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * BATCH / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps, lerobot without loader workers only")
    quick = parser.parse_args().quick
    rounds, steps = (3, 12) if quick else (5, 32)
    torch.manual_seed(0)
    demos = lerobot_peer.demonstrations()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "dataset"
        write_dataset(demos, root)
        ours = Ours(demos, Path(folder))
        runs: dict[str, Callable[[], None]] = {"ours": ours.step}
        for workers in (0,) if quick else (0, 2):
            runs[f"lerobot, {workers} workers"] = LeRobot(root, ours.parameters, workers).step
        speeds: dict[str, list[float]] = {name: [] for name in runs}
        for step in runs.values():
            throughput(step, 4 if quick else 16)
        for _ in range(rounds):
            for name, step in runs.items():
                speeds[name].append(throughput(step, steps))
    median = {name: statistics.median(values) for name, values in speeds.items()}
    for name, value in median.items():
        print(f"{name:20} {value:8.0f} samples/s")
    best = max(value for name, value in median.items() if name != "ours")
    values = {"ours": round(median["ours"], 1), "peer": round(best, 1), "ratio": round(median["ours"] / best, 3)}
    print(json.dumps({"name": "training", "unit": "samples/s", **values}))


if __name__ == "__main__":
    main()
