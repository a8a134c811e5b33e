"""The tokenizer contract: a chunk of actions is a short row of codes, and back."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from burnish import checkpoint, registry
from burnish.checkpoint import Stats
from burnish.contract import ACTION, Contract
from burnish.policies.base import Batch, Learned, build
from burnish.policies.normalize import Normalizer


class Tokenizer(Learned):
    """Action chunk (B, H, A) in network units ↔ codes (B, L) int64.

    Like a policy, it has a registered `name`, a frozen `Config`, a contract (of the action alone), statistics and a
    `loss`, so that the same training loop and checkpoints serve it.
    """

    vocabulary: int
    """Codes are 0 … vocabulary − 1."""
    blocks: tuple[int, ...]
    """How many codes are predicted together, in order; their sum is L. (1, 1, …) is one after the other."""
    context_dim: int | None = None
    """Width of `context`; None where codes are nothing but names."""

    def __init__(self, config: Any, contract: Contract, stats: Stats) -> None:
        super().__init__()
        contract.need_unit_actions(f"the tokenizer {self.name!r}")
        self.config, self.contract, self.stats = config, contract.only([]), {ACTION: stats[ACTION]}
        self.normalizer = Normalizer(self.contract, self.stats)

    @property
    def length(self) -> int:
        """Codes per chunk, L; of a variable number the largest."""
        return sum(self.blocks)

    @abstractmethod
    def encode(self, chunk: Tensor) -> Tensor:
        """Codes (B, L) of a chunk (B, H, A), network units. What lies beyond its range is clipped, never wrapped."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """The chunk (B, H, A) that `codes` (B, L) stand for."""

    def context(self, codes: Tensor) -> Tensor:
        """What is known before each code (B, L, `context_dim`): a function of the codes of earlier blocks alone."""
        raise NotImplementedError

    def fit(self, chunks: Tensor) -> None:
        """Learn what needs no gradient from all training chunks (N, H, A), network units. Nothing by default."""

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Training loss; there is none unless overridden."""
        raise NotImplementedError(f"the tokenizer {self.name!r} has no weights to train")

    @property
    def learns(self) -> bool:
        """Whether it has weights to be trained by `loss`."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def count(self, codes: Tensor) -> Tensor:
        """How many of the `codes` (B, L) each chunk has: L, where it is not a variable number."""
        return torch.full((len(codes),), self.length)

    def outside(self, chunk: Tensor) -> Tensor:
        """How many numbers of `chunk` lie beyond ±1, so that `encode` clips them."""
        return (chunk.abs() > 1.0).sum()


@torch.no_grad()
def quality(tokenizer: Tokenizer, chunks: Tensor, batch: int = 1024) -> dict[str, float]:
    """Of chunks (N, H, A) in network units: `tokens` per chunk, mean `error` as a share of the action range, share of
    codes `used`, and numbers `clipped`."""
    codes = torch.cat([tokenizer.encode(part) for part in chunks.split(batch)])
    made = torch.cat([tokenizer.decode(part) for part in codes.split(batch)])
    return {
        "tokens": float(tokenizer.count(codes).float().mean()),
        "error": float((made - chunks.clamp(-1.0, 1.0)).abs().mean()) / 2.0,
        "used": len(codes.unique()) / tokenizer.vocabulary,
        "clipped": int(tokenizer.outside(chunks)),
    }


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read a tokenizer from a checkpoint folder. Raises `CorruptFileError` as `load_policy`."""
    saved = checkpoint.load(folder)
    return build(saved, registry.tokenizers, source=str(folder))
