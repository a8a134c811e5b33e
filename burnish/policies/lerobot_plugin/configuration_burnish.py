"""A checkpoint's `config.json` as lerobot reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from lerobot.configs import PreTrainedConfig

TRAINED_HERE = "burnish policies are trained by `burnish train`; lerobot only runs them"


@PreTrainedConfig.register_subclass("burnish")
@dataclass
class BurnishConfig(PreTrainedConfig):
    """What `burnish.checkpoint` writes, and lerobot's own fields with their defaults."""

    format: int = 0
    burnish: str = ""
    policy: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    replan: int | None = None
    """Actions played of each chunk; None: as many as the policy was made for."""

    @property
    def observation_delta_indices(self) -> None:
        """It plans from the newest observation."""

    @property
    def action_delta_indices(self) -> None:
        """Only training would need them."""

    @property
    def reward_delta_indices(self) -> None:
        """It reads no rewards."""

    def validate_features(self) -> None:
        """The checkpoint's contract does."""

    def get_optimizer_preset(self) -> NoReturn:
        """Raises `NotImplementedError`."""
        raise NotImplementedError(TRAINED_HERE)

    def get_scheduler_preset(self) -> NoReturn:
        """Raises `NotImplementedError`."""
        raise NotImplementedError(TRAINED_HERE)
