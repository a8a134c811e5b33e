"""What the server asks: one observation to one chunk of actions, by an exported policy or by a torch checkpoint."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from burnish import checkpoint
from burnish.contract import Contract
from burnish.errors import BurnishError, NonFiniteError, RequestError
from burnish.exported import DESCRIPTION, ExportedPolicy


class Planner(ABC):
    """A policy. What it remembers from one plan to the next, if anything, belongs to one client (`fresh`).

    A subclass gives `_act`; `_begin` if the policy remembers, and `_go_on` if it knows real-time chunking.

    Attributes:
        name: of the policy, as in the registry.
        contract: what observations and actions mean.
        horizon: actions per chunk, H.
        replan: actions to execute from each chunk before the next one is drawn.
        noise_shape: of the standard normal noise one chunk consumes.
        trained: ranges of what it was trained to move, by name; empty where that is one thing.
        realtime: whether it goes on with a chunk that is being executed (real-time chunking).
        realtime_noise_shape: of the noise that this takes.
    """

    name: str
    contract: Contract
    horizon: int
    replan: int
    noise_shape: tuple[int, ...]
    trained: Mapping[str, tuple[float, float]] = {}
    realtime: bool = False
    realtime_noise_shape: tuple[int, ...] = ()
    _memory: Any = None

    def fresh(self) -> Planner:
        """One for a client of its own, at the beginning of an episode: the same, unless it remembers."""
        memory = self._begin()
        if memory is None:
            return self
        own = copy.copy(self)
        own._memory = memory
        return own

    def plan(
        self,
        obs: Mapping[str, np.ndarray],
        rng: np.random.Generator,
        *,
        previous: np.ndarray | None = None,
        frozen: int = 0,
    ) -> np.ndarray:
        """The action chunk (H, A) float32, physical units.

        Args:
            obs: contract key → array of the field's shape, without a batch dimension, physical units.
            rng: draws the noise; a refused request draws none.
            previous: (K, A) the actions of the chunk under way, from this observation's moment on.
            frozen: how many of those will have been executed when this chunk begins.
        Raises:
            RequestError: `previous` is given and the policy cannot go on with it.
            NonFiniteError: an action is NaN or infinite.
        """
        if previous is not None and not self.realtime:
            raise RequestError(
                f"burnish/previous: policy {self.name!r} does not know real-time chunking; leave it out, and play each "
                "chunk when it comes"
            )
        shape = self.noise_shape if previous is None else self.realtime_noise_shape
        noise = rng.standard_normal(shape, np.float32)
        chunk = self._act(obs, noise) if previous is None else self._go_on(obs, noise, previous, frozen)
        if not np.isfinite(chunk).all():
            step, action = np.argwhere(~np.isfinite(chunk))[0].tolist()
            value = chunk[step, action]
            raise NonFiniteError(f"policy {self.name!r} planned {value} as action {action} of step {step}; not sent")
        return chunk.astype(np.float32, copy=False)

    def _begin(self) -> Any:
        """What it remembers when an episode begins; None: nothing, ever."""
        return None

    @abstractmethod
    def _act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
        """(H, A) from one observation and noise (*noise_shape)."""

    def _go_on(self, obs: Mapping[str, np.ndarray], noise: np.ndarray, previous: np.ndarray, frozen: int) -> np.ndarray:
        """(H, A) that begins with the `frozen` actions of `previous`; only asked of a planner with `realtime`."""
        raise NotImplementedError


class ExportedPlanner(Planner):
    """An exported policy: numpy and ONNX Runtime, no torch."""

    def __init__(self, folder: Path) -> None:
        """Raises `CorruptFileError` that names the file and what is wrong with it."""
        self._policy = ExportedPolicy(folder)
        self.trained = self._policy.trained
        self.name, self.contract = self._policy.name, self._policy.contract
        self.horizon, self.replan = self._policy.horizon, self._policy.replan
        self.noise_shape = self._policy.noise_shape
        self.realtime, self.realtime_noise_shape = self._policy.realtime, self._policy.realtime_noise_shape

    def _begin(self) -> np.ndarray | None:
        return self._policy.begin(1) if self._policy.memory_size else None

    def _act(self, obs: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
        if self._memory is not None:
            chunk, self._memory = self._policy.go_on({key: value[None] for key, value in obs.items()}, self._memory)
            return chunk[0]
        return self._policy.act({key: value[None] for key, value in obs.items()}, noise[None])[0]

    def _go_on(self, obs: Mapping[str, np.ndarray], noise: np.ndarray, previous: np.ndarray, frozen: int) -> np.ndarray:
        batch = {key: value[None] for key, value in obs.items()}
        return self._policy.act_realtime(batch, noise[None], previous[None], frozen)[0]


def open_planner(path: Path, device: str | None = None) -> Planner:
    """The policy in `path`: a folder of `burnish export`, a checkpoint, or FORMAT:FOLDER of another library.

    Args:
        device: where a checkpoint computes, e.g. "cuda"; None: where it is loaded to.
    Raises:
        CorruptFileError: a file is missing, truncated or altered.
        BurnishError: there is no policy, or no such device.
    """
    name, folder = checkpoint.split_format(path)
    if name is None and (folder / DESCRIPTION).exists():
        if device is not None:
            raise BurnishError(f"--device {device}: leave it out; {folder} is an exported policy, for the CPU")
        return ExportedPlanner(folder)
    if name is None and not checkpoint.exists(folder):
        raise BurnishError(f"{folder}: nothing there; name a folder that `burnish export` or `burnish train` wrote")
    from burnish.real.server.learned import CheckpointPlanner

    return CheckpointPlanner(path, device)
