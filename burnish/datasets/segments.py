"""Batches of segments: not only the actions of several steps, as in a chunk, but what was seen at each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import override

import torch
from torch import Tensor

from burnish.datasets.chunks import ChunkSampler
from burnish.datasets.demonstrations import Demonstrations


class SegmentSampler(ChunkSampler):
    """A segment from every frame on, `length` frames that are `stride` steps apart; otherwise as `ChunkSampler`."""

    def __init__(
        self,
        demos: Demonstrations,
        length: int,
        batch_size: int,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        stride: int = 1,
        once: Sequence[str] = (),
    ) -> None:
        """`once`: observations that are dear, given of the first frame alone."""
        super().__init__(demos, length, batch_size, seed=seed, device=device)
        self._ahead = self._ahead * stride
        self._once = set(once)

    @override
    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """The segments that start at `rows` (B,): observations (B, T, *shape), those of `once` (B, *shape), `action`
        (B, T, A), `action_is_pad` (B, T). Beyond the end of the episode its last frame is repeated.
        """
        batch = super().gather(rows)
        chosen = torch.minimum(rows[:, None] + self._ahead, self._last.index_select(0, rows)[:, None])
        for key, value in self._obs.items():
            if key not in self._once:
                batch[key] = value.index_select(0, chosen.flatten()).view(*chosen.shape, *value.shape[1:])
        return batch
