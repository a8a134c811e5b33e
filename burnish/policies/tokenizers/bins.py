"""Uniform bins per number (RT-1, arXiv 2212.06817; OpenVLA, arXiv 2406.09246): the baseline of action tokens."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import Contract
from burnish.errors import BurnishError
from burnish.policies.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class BinsConfig:
    """OpenVLA's 256 bins."""

    horizon: int = 8
    bins: int = 256

    def __post_init__(self) -> None:
        if self.horizon < 1 or self.bins < 2:
            raise BurnishError(f"horizon {self.horizon} must be 1 or more, bins {self.bins} 2 or more")


class Bins(Tokenizer):
    """H · A codes, those of one action together; a code is the middle of its bin."""

    name = "bins"
    Config = BinsConfig

    def __init__(self, config: BinsConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        self.horizon, self.vocabulary = config.horizon, config.bins
        self._actions = contract.action.shape[-1]
        self.blocks = (self._actions,) * config.horizon

    def encode(self, chunk: Tensor) -> Tensor:
        """Codes (B, H · A), action by action."""
        places = (chunk.flatten(1) + 1.0) / 2.0 * self.vocabulary
        return places.long().clamp(0, self.vocabulary - 1)

    def decode(self, codes: Tensor) -> Tensor:
        """The middles of the bins."""
        return (((codes + 0.5) / self.vocabulary) * 2.0 - 1.0).reshape(-1, self.horizon, self._actions)
