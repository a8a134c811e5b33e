"""Policies of lerobot here: ACT, Diffusion, SmolVLA, π0.5 …, with their own normalisation and their own queues.

A lerobot policy is a folder: `config.json`, `model.safetensors`, and a pre- and a post-processor (JSON, safetensors).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from burnish.checkpoint import Stats
from burnish.contract import IMAGES, STATE, TASK, Contract, decode_text
from burnish.errors import BurnishError
from burnish.policies.base import Batch, Policy
from burnish.policies.lerobot_agent import LerobotAgent, Player
from burnish.policies.lerobot_features import features
from burnish.policies.lerobot_files import Processors, build, read

if TYPE_CHECKING:
    from lerobot.policies import PreTrainedPolicy

ELSEWHERE = "a lerobot policy is trained by lerobot-train; here it is evaluated, refined and distilled"


@dataclass(frozen=True)
class LerobotConfig:
    """What lerobot wrote down about a policy, so that a checkpoint of ours can hold one."""

    config: Mapping[str, Any]
    """Its type and settings, as in `config.json`."""
    preprocessor: Mapping[str, Any]
    postprocessor: Mapping[str, Any]


class LerobotPolicy(Policy):
    """lerobot's `PreTrainedPolicy` between its own processors."""

    name = "lerobot"
    Config = LerobotConfig
    history: int
    """Observations it plans from: the newest and those before it."""

    def __init__(
        self,
        config: LerobotConfig,
        contract: Contract,
        stats: Stats,
        parts: tuple[PreTrainedPolicy, Processors] | None = None,
    ) -> None:
        """`stats`: needed only by what is built on this policy. `parts`: without them the weights are random."""
        if stats:
            super().__init__(config, contract, stats)
        else:
            nn.Module.__init__(self)  # without a normaliser: lerobot has its own
            self.config, self.contract, self.stats = config, contract, stats
        self.inner, self.processors = parts or build(config.config, config.preprocessor, config.postprocessor)
        settings = self.inner.config
        self.horizon, self.history = getattr(settings, "n_action_steps", 1), settings.n_obs_steps
        self.nfe = getattr(settings, "num_inference_steps", None) or getattr(settings, "num_steps", 1)
        self._reads = list(features(settings, config.preprocessor).observation)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Two numbers, whose bits seed lerobot's own noise."""
        return (2,)

    @property
    def replan(self) -> int:
        """lerobot's `n_action_steps`."""
        return self.horizon

    @property
    def sees(self) -> bool:
        """Whether it reads images."""
        return any(key.startswith(IMAGES) for key in self._reads)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device(str(self.inner.config.device))

    def act(self, obs: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """What it would do from an episode's first observation on: (B, H, A). A row never depends on the others."""
        seeds = noise.float().contiguous().view(torch.int64).flatten().tolist()
        rows = [{key: value[i : i + 1] for key, value in obs.items()} for i in range(len(seeds))]
        return torch.cat([Player(self).plan(row, seed) for row, seed in zip(rows, seeds, strict=True)])

    def agent(self, lanes: int, *, replan: int | None = None) -> LerobotAgent:
        """This policy acting closed-loop as in lerobot's evaluation."""
        return LerobotAgent(self, lanes, replan=replan)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Raises `BurnishError`: nothing here trains it."""
        raise BurnishError(ELSEWHERE)

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Raises `BurnishError`: it has no network units of ours."""
        raise BurnishError(ELSEWHERE)

    def meet(self, contract: Contract, stats: Stats, *, there: str) -> LerobotPolicy:
        """This policy with all that `contract` says of the fields it reads, and of the instruction."""
        self.contract.check(contract, here="lerobot policy", there=there)
        known = contract.only([*self._reads, TASK])
        return LerobotPolicy(self.config, known, stats, (self.inner, self.processors)).eval()

    def check_export(self) -> None:
        """Raises `BurnishError`."""
        raise BurnishError("a lerobot policy does not become an ONNX file; `burnish distill` it and export the student")

    def preprocess(self, obs: Mapping[str, Tensor]) -> dict[str, Any]:
        """Observations (B, …) to what lerobot's policy reads: images (B, 3, H, W) in [0, 1], all normalised."""
        batch: dict[str, Any] = {}
        for key in self._reads:
            value = obs[key]
            if key.startswith(IMAGES):  # contiguous: another memory layout has other rounding errors
                value = value.movedim(-1, -3).contiguous().float() / 255
            batch[key] = value.float()
        rows = len(next(iter(batch.values())))
        batch[TASK] = [decode_text(row.cpu().numpy()) for row in obs[TASK]] if TASK in obs else [""] * rows
        batch = self.processors.before(batch)
        # ACT asks for its device even where it does not read it.
        batch.setdefault(STATE, torch.zeros(rows, 1, device=self.device))
        return batch

    def postprocess(self, action: Tensor) -> Tensor:
        """The policy's action (B, A) to physical units."""
        return self.processors.after(action).float()

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """Mixed precision where its config asks for it."""
        return torch.autocast(self.device.type) if self.inner.config.use_amp else contextlib.nullcontext()


def load(folder: Path, *, contract: Contract | None = None, there: str = "environment") -> LerobotPolicy:
    """Read a lerobot policy folder. Only keys and shapes of its `contract` are known until it `meet`s another.

    Args:
        contract: must have what the policy reads.
        there: what `contract` belongs to, for the message.
    Raises:
        CorruptFileError: a file is missing or broken. ContractError: names each field that `contract` lacks.
        BurnishError: lerobot does not know this type of policy, or lacks a package for it.
    """
    inner, processors = read(folder)
    config = LerobotConfig(*processors.describe(inner.config))
    reads = features(inner.config, config.preprocessor)
    if contract is not None:
        reads.check(contract, here=f"lerobot policy {folder}", there=there)
    return LerobotPolicy(config, reads, {}, (inner, processors)).eval()
