"""A burnish policy as lerobot's evaluation, recording and asynchronous inference want one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Self, override

import torch
from huggingface_hub import snapshot_download
from lerobot.policies import PreTrainedPolicy
from torch import Tensor

from burnish.agent import Agent
from burnish.contract import IMAGES, TASK, Field, encode_text
from burnish.errors import ContractError
from burnish.policies.base import Policy, load_policy
from burnish.policies.lerobot_plugin.configuration_burnish import TRAINED_HERE, BurnishConfig


class BurnishPolicy(PreTrainedPolicy):
    """`burnish.policies.base.Policy` behind lerobot's interface; it normalises by itself."""

    config_class = BurnishConfig  # pyright: ignore[reportAssignmentType]
    name = "burnish"  # pyright: ignore[reportAssignmentType]

    def __init__(self, config: BurnishConfig, policy: Policy) -> None:
        super().__init__(config)
        self.config: BurnishConfig = config
        self.policy = policy
        self._episodes = 0
        self.reset()

    @classmethod
    @override
    def from_pretrained(
        cls, pretrained_name_or_path: str | Path, *, config: BurnishConfig | None = None, **options: Any
    ) -> Self:
        """Read a checkpoint folder, or one on the Hub."""
        folder = Path(pretrained_name_or_path)
        if not folder.is_dir():
            folder = Path(snapshot_download(str(pretrained_name_or_path), revision=options.get("revision")))
        settings = BurnishConfig.from_pretrained(folder) if config is None else config
        return cls(settings, load_policy(folder)).to(settings.device).eval()

    @override
    def reset(self) -> None:
        """Start an episode in every environment."""
        self._agent: Agent | None = None

    @torch.no_grad()
    @override
    def select_action(self, batch: dict[str, Any], **_: Any) -> Tensor:
        """Next action of every environment (B, A), physical units.

        Episode i draws its noise from lerobot's `seed` + i, as its environment does.
        """
        obs = self.observations(batch)
        lanes = len(next(iter(obs.values())))
        if self._agent is None:
            self._agent = self.policy.agent(lanes, replan=self.config.replan)
            first = torch.initial_seed() + self._episodes
            self._agent.reset(range(lanes), [first + lane for lane in range(lanes)])
            self._episodes += lanes
        return self._agent.act(obs)

    @torch.no_grad()
    @override
    def predict_action_chunk(self, batch: dict[str, Any], noise: Tensor | None = None, **_: Any) -> Tensor:
        """Chunks (B, H, A) in physical units."""
        obs = self.observations(batch)
        first = next(iter(obs.values()))
        if noise is None:
            noise = torch.randn(len(first), *self.policy.noise_shape)
        return self.policy.act(obs, noise.to(first.device))

    def observations(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """lerobot's batch to what the checkpoint's contract names. Raises `ContractError` for what does not fit."""
        return {key: _convert(key, field, batch) for key, field in self.policy.contract.observation.items()}

    @override
    def forward(self, batch: dict[str, Tensor]) -> NoReturn:
        """Raises `NotImplementedError`."""
        raise NotImplementedError(TRAINED_HERE)

    @override
    def get_optim_params(self) -> NoReturn:
        """Raises `NotImplementedError`."""
        raise NotImplementedError(TRAINED_HERE)


def _convert(key: str, field: Field, batch: Mapping[str, Any]) -> Tensor:
    """lerobot's value of `key`: images are (B, 3, H, W) in [0, 1] there, instructions are strings."""
    if key not in batch:
        have = ", ".join(sorted(name for name in batch if name == TASK or name.startswith("observation.")))
        raise ContractError(f"this policy reads {key}, which lerobot's environment does not give; it gives {have}")
    value = batch[key]
    if key == TASK:
        return torch.stack([torch.from_numpy(encode_text(text, field.shape[0]).copy()) for text in value])
    if key.startswith(IMAGES):
        value = (value.movedim(-3, -1) * 255).round().to(torch.uint8)
    if tuple(value.shape[1:]) != field.shape:
        raise ContractError(
            f"{key}: {tuple(value.shape[1:])} from lerobot's environment, this policy reads {field.shape}"
        )
    return value
