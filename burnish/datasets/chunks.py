"""Batches of action chunks from demonstrations in memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from burnish.contract import ACTION
from burnish.datasets.demonstrations import Demonstrations
from burnish.errors import BurnishError


class ChunkSampler:
    """Every frame once per epoch, in an order that is a pure function of (seed, step).

    A run that resumes at step k therefore sees exactly the batches it would have seen without a break.
    One `index_select` per key and no Python per sample, so a training step never waits for data.
    """

    def __init__(
        self, demos: Demonstrations, horizon: int, batch_size: int, *, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        """
        Args:
            horizon: actions per chunk, H.
            batch_size: chunks per batch, B; may exceed the number of frames.
            device: where the whole dataset is kept and batches appear.
        """
        if len(demos.action) == 0:
            raise BurnishError("the dataset has no frames; collect demonstrations first")
        self.horizon, self.batch_size, self._seed = horizon, batch_size, seed
        self._obs = {key: torch.from_numpy(value).to(device) for key, value in demos.obs.items()}
        self._action = torch.from_numpy(demos.action).to(device)
        self._last = torch.from_numpy(np.repeat(demos.ends - 1, demos.lengths)).to(device)
        self._ahead = torch.arange(horizon, device=device)
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def __len__(self) -> int:
        """Frames in the dataset: chunks per epoch."""
        return len(self._action)

    def batch(self, step: int) -> dict[str, Tensor]:
        """The batch of training step `step` ≥ 0: observations (B, *shape), `action` (B, H, A), `action_is_pad` (B, H).

        Chunks that reach past the end of their episode repeat its last action and are marked as padding there.
        """
        return self.gather(self._rows(step))

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """The chunks that start at `rows` (B,) of the dataset."""
        last = self._last.index_select(0, rows)[:, None]
        ahead = rows[:, None] + self._ahead
        chosen = torch.minimum(ahead, last)
        batch = {key: value.index_select(0, rows) for key, value in self._obs.items()}
        batch[ACTION] = self._action.index_select(0, chosen.flatten()).view(*chosen.shape, -1)
        batch[f"{ACTION}_is_pad"] = ahead > last
        return batch

    def _rows(self, step: int) -> Tensor:
        """Positions [step·B, (step+1)·B) of the endless row of shuffled epochs."""
        position, end = step * self.batch_size, (step + 1) * self.batch_size
        parts = []
        while position < end:
            epoch, offset = divmod(position, len(self))
            part = self._shuffled(epoch)[offset : offset + end - position]
            parts.append(part)
            position += len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _shuffled(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self))
            self._epoch, self._order = epoch, torch.from_numpy(order).to(self._last.device)
        return self._order
