"""A torch checkpoint as a planner; the one file of the server that imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from burnish.errors import BurnishError
from burnish.policies.base import load_policy
from burnish.policies.realtime import RealTimeConfig
from burnish.real.server.planner import Planner


class CheckpointPlanner(Planner):
    """A policy in torch. Without a memory it plans as if each observation were an episode's first."""

    def __init__(self, path: Path, device: str | None = None) -> None:
        """Raises `CorruptFileError` that names the file, and `BurnishError` that names the device."""
        self._policy = load_policy(path)
        self.trained = self._policy.trained
        if device is not None:
            try:
                self._policy.to(device)
            except (RuntimeError, AssertionError) as error:  # no such device, or torch was built without it
                raise BurnishError(f"--device {device}: {str(error).splitlines()[0]}") from error
        self._device = next(self._policy.parameters()).device
        self.name, self.contract = self._policy.name, self._policy.contract
        self.horizon, self.replan = self._policy.horizon, self._policy.replan
        self.noise_shape = self._policy.noise_shape
        with suppress(BurnishError):  # not every policy can; asked for it, the server says so
            self._realtime = self._policy.realtime(RealTimeConfig())
            self.realtime, self.realtime_noise_shape = True, self._realtime.noise_shape

    @torch.no_grad()
    def _begin(self) -> torch.Tensor | None:
        return self._policy.begin(1) if self._policy.memory_size else None

    @torch.no_grad()
    def _act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
        batch = {key: self._tensor(value) for key, value in obs.items()}
        if self._memory is not None:
            action, self._memory = self._policy.go_on(batch, self._memory)
            return action.float().cpu().numpy()
        return self._policy.act(batch, self._tensor(noise))[0].float().cpu().numpy()

    def _go_on(self, obs: Mapping[str, np.ndarray], noise: np.ndarray, previous: np.ndarray, frozen: int) -> np.ndarray:
        batch = {key: self._tensor(value) for key, value in obs.items()}
        chunk = self._realtime.plan(batch, self._tensor(noise), self._tensor(previous), frozen)
        return chunk[0].float().cpu().numpy()

    def _tensor(self, value: np.ndarray) -> torch.Tensor:
        # A copy: what came off the wire is read-only, which torch has no notion of.
        return torch.from_numpy(np.array(value)[None]).to(self._device)
