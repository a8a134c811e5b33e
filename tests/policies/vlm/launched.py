"""What test_distributed.py starts in two processes: train, stop, and go on.

accelerate shards on accelerators alone; torch does on a CPU as well, so what accelerate would set there is set here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from burnish import processes
from burnish.contract import STATE, TASK, Contract, Field, encode_text
from burnish.policies.base import make_policy
from burnish.policies.train import TrainConfig, train
from burnish.policies.vlm.adapters import LoraConfig
from burnish.run import Follower, Run

WORDS = Field((16,), tuple(map(str, range(16))), ("UTF-8",) * 16, "none", 10.0, "identity", "uint8")
ONE = Field((1,), ("x",), ("m",), "world", 10.0, "min_max", low=(-1.0,), high=(1.0,))
CONTRACT = Contract({STATE: ONE, TASK: WORDS}, ONE)
TEXTS = np.stack([encode_text(text, 16) for text in ("go left", "go right")])
STATS = {STATE: {"count": np.array(8)}, "action": {"count": np.array(8)}, TASK: {"text": TEXTS}}
SETTINGS = TrainConfig(steps=8, batch_size=8, warmup_steps=2, save_every=3, log_every=1)


class Batches:
    def __init__(self, stop: int) -> None:
        self.stop = stop

    def batch(self, step: int) -> dict[str, torch.Tensor]:
        if step == self.stop:
            raise KeyboardInterrupt
        random = torch.Generator().manual_seed(step)
        said = torch.randint(2, (8,), generator=random)
        move = (said * 2.0 - 1.0)[:, None, None] * torch.rand(8, 2, 1, generator=random)
        state = torch.rand(8, 1, generator=random)
        return {STATE: state, TASK: torch.from_numpy(TEXTS)[said], "action": move}


def fresh(backbone: str):
    """A VLA without images, whose loss has no noise: two processes can do as one does."""
    torch.manual_seed(0)
    config = {
        "tokenizer": "bins",
        "tokenizer_config": {"horizon": 2, "bins": 8},
        "lora": LoraConfig(rank=2),
        "replan": 1,
    }
    return make_policy("vla", CONTRACT, STATS, backbone=backbone, head="tokens", **config)


def shard() -> None:
    from accelerate import FullyShardedDataParallelPlugin
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedType

    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, cpu_ram_efficient_loading=False)
    AcceleratorState._shared_state["fsdp_plugin"] = plugin
    for state in (AcceleratorState, PartialState):
        state._shared_state["distributed_type"] = DistributedType.FSDP


def main(folder: str, mode: str, backbone: str) -> None:
    from burnish.policies.distributed import join

    join("cpu")
    if mode == "fsdp":
        shard()
    run = (Run if processes.rank() == 0 else Follower)(Path(folder), "train", {})
    try:
        train(run, fresh(backbone), Batches(stop=5), SETTINGS)
    except KeyboardInterrupt:
        policy = fresh(backbone)
        train(run, policy, Batches(stop=-1), SETTINGS)
        print(*{type(parameter).__name__ for parameter in policy.backbone.parameters()})


if __name__ == "__main__":
    main(*sys.argv[1:])
