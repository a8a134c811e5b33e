"""FAST (arXiv 2501.09747): cosine coefficients, rounded, low frequencies first, shortened by byte-pair encoding.

The paper's processor is a hub model with code of its own; this is the same scheme on the `tokenizers` library, trained
on the dataset at hand. Codes are of variable number: the chunk ends with END, which fills the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, override

import numpy as np
import torch
from torch import Tensor

from burnish.checkpoint import Stats
from burnish.contract import Contract
from burnish.errors import BurnishError
from burnish.policies.tokenizers.base import Tokenizer
from burnish.policies.tokenizers.spectrum import dct_matrix

FIRST_LETTER = 0x4E00
"""A coefficient is a letter: these code points have neither case nor parts for a tokenizer to change."""


@dataclass(frozen=True)
class FastConfig:
    """The paper's sizes."""

    horizon: int = 16
    vocabulary: int = 1024
    scale: float = 10.0
    """A coefficient c becomes round(scale · c)."""
    longest: int = 64
    """Codes kept of a chunk; what is longer loses its highest frequencies."""
    merges: str = ""
    """The trained byte-pair encoding (JSON); empty until `fit`."""

    def __post_init__(self) -> None:
        if self.horizon < 1 or self.scale <= 0 or self.longest < 1:
            raise BurnishError(f"horizon {self.horizon}, scale {self.scale}, longest {self.longest}: all are positive")


class Fast(Tokenizer):
    """Exact up to rounding, except where a chunk is longer than `longest` codes."""

    name = "fast"
    Config = FastConfig

    def __init__(self, config: FastConfig, contract: Contract, stats: Stats) -> None:
        super().__init__(config, contract, stats)
        self.config: FastConfig = config
        self.horizon, self.vocabulary = config.horizon, config.vocabulary + 1
        self.blocks = (1,) * config.longest
        self._actions = contract.action.shape[-1]
        self.register_buffer("dct", dct_matrix(config.horizon), persistent=False)
        # An orthonormal transform of numbers within ±1 stays within ±√H.
        self._reach = int(np.ceil(config.scale * config.horizon**0.5))

    dct: Tensor

    @property
    def end(self) -> int:
        """The code END."""
        return self.vocabulary - 1

    def fit(self, chunks: Tensor) -> None:
        """Train the byte-pair encoding on chunks (N, H, A)."""
        from tokenizers import Tokenizer as BytePairs
        from tokenizers.models import BPE
        from tokenizers.trainers import BpeTrainer

        made = BytePairs(BPE())
        alphabet = [self._letter(number) for number in range(-self._reach, self._reach + 1)]
        if len(alphabet) > self.config.vocabulary:
            raise BurnishError(
                f"scale {self.config.scale} gives {len(alphabet)} different coefficients, more than the vocabulary "
                f"of {self.config.vocabulary}; lower the scale"
            )
        trainer = BpeTrainer(vocab_size=self.config.vocabulary, initial_alphabet=alphabet, show_progress=False)
        made.train_from_iterator(self._texts(chunks), trainer)
        self.config = dataclasses.replace(self.config, merges=made.to_str())

    def encode(self, chunk: Tensor) -> Tensor:
        """Codes (B, L), filled up with END."""
        codes = torch.full((len(chunk), self.length), self.end)
        for row, text in enumerate(self._texts(chunk)):
            found = self._pairs.encode(text).ids[: self.length]
            codes[row, : len(found)] = torch.tensor(found, dtype=torch.long)
        return codes.to(chunk.device)

    def decode(self, codes: Tensor) -> Tensor:
        """Coefficients that the codes do not reach are 0; those too many are dropped."""
        size = self.horizon * self._actions
        numbers = np.zeros((len(codes), size), np.float32)
        for row, ids in enumerate(codes.tolist()):
            ids = ids[: ids.index(self.end)] if self.end in ids else ids
            found = [ord(letter) - FIRST_LETTER - self._reach for name in ids for letter in self._names.get(name, "")]
            numbers[row, : len(found)] = found[:size]
        coefficients = torch.from_numpy(numbers).to(codes.device).reshape(-1, self.horizon, self._actions)
        return (self.dct.T @ (coefficients / self.config.scale)).clamp(-1.0, 1.0)

    @override
    def count(self, codes: Tensor) -> Tensor:
        return (codes != self.end).sum(1)

    @cached_property
    def _pairs(self) -> Any:
        from tokenizers import Tokenizer as BytePairs

        if not self.config.merges:
            raise BurnishError("the FAST tokenizer has not been fitted to any chunks yet")
        return BytePairs.from_str(self.config.merges)

    @cached_property
    def _names(self) -> dict[int, str]:
        return {code: name for name, code in self._pairs.get_vocab().items()}

    def _texts(self, chunks: Tensor) -> Iterator[str]:
        """Low frequencies of all numbers first, as letters."""
        coefficients = (self.dct @ chunks.clamp(-1.0, 1.0) * self.config.scale).round().long().flatten(1)
        for row in coefficients.cpu().tolist():
            yield "".join(map(self._letter, row))

    def _letter(self, number: int) -> str:
        return chr(FIRST_LETTER + self._reach + number)
