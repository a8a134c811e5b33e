"""The VecEnv of every simulator that steps N worlds as one program: tensors stay on its device from step to step.

Only flags ever come to the host: whether all actions are finite, and which lanes ended. The worlds of a batch draw
from one stream of random numbers, which a reset seeds: what follows is a function of the seeds given to all resets
and of all actions, on the same device, not of one lane's alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, override

import numpy as np
import torch
from torch import Tensor

from burnish.contract import Contract
from burnish.errors import BurnishError, NonFiniteError
from burnish.sim.base import Obs, Step, VecEnv, next_seed
from burnish.sim.checks import check_seeds, check_seen, check_shape, check_size, check_snapshot, check_step, chosen
from burnish.sim.protocols import horizon as default_horizon
from burnish.sim.rows import Rows


class Batch(ABC):
    """N worlds of one simulator. It never ends or resets an episode by itself, and draws from torch's generators."""

    contract: Contract
    num_envs: int
    device: torch.device
    forgiving: bool = False
    """Whether an episode goes on after it failed, for practice."""

    @abstractmethod
    def begin(self, lanes: Tensor, seeds: Sequence[int]) -> None:
        """Start an episode in each of `lanes` (n,) int64; the others stay as they are.

        Args:
            seeds: one per lane, for what belongs to that episode alone; all else is drawn from torch's generators.
        """

    @abstractmethod
    def step(self, action: Tensor) -> None:
        """One control step of all worlds; `action` (N, A) is finite."""

    @abstractmethod
    def observe(self) -> Obs:
        """What every lane observes now, looks left out; the caller copies what it keeps."""

    @abstractmethod
    def judge(self, last: Tensor) -> tuple[Tensor, Tensor]:
        """After a step: which lanes succeeded and which failed for good, (N,) bool each. `last`: at their horizon."""

    @abstractmethod
    def reward(self) -> Tensor:
        """(N,) float32, the simulator's own for the last step."""

    @abstractmethod
    def rows(self) -> Rows:
        """All that an episode's future depends on."""

    def look(self) -> Obs:
        """What the contract calls `looks`, of every lane."""
        return {}

    @abstractmethod
    def draw(self, lanes: Sequence[int], size: int) -> np.ndarray:
        """(n, size, size, 3) uint8 frames for people. Raises `RenderError` where no renderer runs."""

    @abstractmethod
    def close(self) -> None:
        """Free everything."""


class BatchEnv(VecEnv):
    """N lanes in the `Batch` that `make` makes; `workers` are of no use to a batch.

    `info["crashed"]` (N,) bool: what cannot be mended, such as a fall; the episode ended, as truncated, unless the
    batch is forgiving.
    """

    has_dense_reward = True

    def __init__(
        self,
        task: str,
        make: Callable[[int, int, str], Batch],
        *,
        num_envs: int,
        workers: int = 0,
        horizon: int | None = None,
        auto_reset: bool = False,
        dense_reward: bool = False,
        device: str | None = None,
    ) -> None:
        """`make(num_envs, horizon, device)`; `device`: "cuda" or "cpu", None takes a GPU if there is one.

        Raises `BurnishError` for a GPU that is not there.
        """
        place, steps = _torch_device(device, task), default_horizon(task) if horizon is None else horizon
        check_size(task, num_envs, steps)
        self.task, self.num_envs, self.max_episode_steps, self._auto_reset = task, num_envs, steps, auto_reset
        self._make, self._dense_reward = partial(make, num_envs, steps, place), dense_reward
        self._open()

    def _open(self) -> None:
        self._stream: tuple[Tensor, ...] | None = None
        with self._own_randomness():
            torch.manual_seed(0)  # what is drawn once, when the worlds are made, is the same in every run
            self._batch: Batch | None = self._make()
        self.contract, self.device = self._batch.contract, self._batch.device
        self._seeds = [0] * self.num_envs
        self._waiting = np.ones(self.num_envs, bool)
        self._steps = torch.full((self.num_envs,), -1, device=self.device)
        self._obs = self._copy(self._batch.observe())

    @override
    def reset(self, seed: Sequence[int], ids: Sequence[int] | None = None) -> Obs:
        lanes = self._lanes(ids)
        check_seeds(self.task, seed, lanes)
        for lane, value in zip(lanes, seed, strict=True):
            self._seeds[lane] = value
        if lanes:
            self._begin(lanes)
        return self._copy(self._obs)

    @override
    def step(self, action: Tensor, ids: Sequence[int] | None = None) -> Step:
        batch, lanes = self._running(), self._lanes(ids)
        self._check(action, lanes)
        still = {*range(self.num_envs)} - {*lanes}
        standing = self._mask([*still]) if still else None
        before = None if standing is None else batch.rows().take(standing)
        with self._own_randomness():
            batch.step(torch.nan_to_num(action.detach()).to(self.device))
        moving = slice(None) if standing is None else ~standing
        self._steps[moving] += 1
        success, failed = batch.judge(self._steps >= self.max_episode_steps)
        obs, reward = self._copy(batch.observe()), batch.reward()
        if standing is not None and before is not None:
            batch.rows().put(standing, before)
            obs = _merged(standing, self._obs, obs)
            success, failed, reward = success & ~standing, failed & ~standing, reward * ~standing
        truncated = ((failed & (not batch.forgiving)) | (self._steps >= self.max_episode_steps)) & ~success
        truncated = truncated if standing is None else truncated & ~standing
        self._obs, final = obs, obs
        ended = self._ended(success | truncated, obs)
        if ended and self._auto_reset:
            for lane in ended:
                self._seeds[lane] = next_seed(self._seeds[lane])
            self._begin(ended)
        self._waiting[ended] = not self._auto_reset
        info: dict[str, Any] = {"success": success, "crashed": failed, "final_obs": final}
        info |= {"dense_reward": reward.clone()} if self._dense_reward else {}
        return Step(self._copy(self._obs), success.float(), success.clone(), truncated, info)

    @override
    def look(self, ids: Sequence[int]) -> Obs:
        batch, lanes = self._running(), self._lanes(ids)
        check_seen(self.task, [lane for lane in lanes if self._waiting[lane] and not self._seen(lane)])
        return self._copy(batch.look())

    @override
    def render(self, ids: Sequence[int], size: int) -> Tensor:
        return torch.from_numpy(self._running().draw(list(self._lanes(ids)), size))

    @override
    def state(self) -> list[Any]:
        rows = self._running().rows()
        shared = {"stream": self._stream, "numbers": rows.numbers()}
        return [
            {
                "rows": rows.take(self._mask([lane])),
                "obs": {key: value[lane].clone() for key, value in self._obs.items()},
                "seed": self._seeds[lane],
                "steps": self._steps[lane].clone(),
                "waiting": bool(self._waiting[lane]),
                **shared,
            }
            for lane in range(self.num_envs)
        ]

    @override
    def restore(self, snapshot: list[Any]) -> Obs:
        check_snapshot(self.task, snapshot, self.num_envs)
        rows = self._running().rows()
        for lane, kept in enumerate(snapshot):
            rows.put(self._mask([lane]), kept["rows"])
            self._seeds[lane], self._waiting[lane], self._steps[lane] = kept["seed"], kept["waiting"], kept["steps"]
            for key, value in self._obs.items():
                value[lane] = kept["obs"][key]
        rows.recall(snapshot[0]["numbers"])
        self._stream = snapshot[0]["stream"]
        return self._copy(self._obs)

    @override
    def restart(self) -> None:
        self.close()
        self._open()

    @override
    def close(self) -> None:
        if self._batch is not None:
            self._batch.close()
        self._batch = None

    def _begin(self, lanes: Sequence[int]) -> None:
        batch = self._running()
        with self._own_randomness():
            torch.manual_seed(int(np.random.SeedSequence([self._seeds[lane] for lane in lanes]).generate_state(1)[0]))
            batch.begin(torch.tensor(lanes, device=self.device), [self._seeds[lane] for lane in lanes])
        mask = self._mask(lanes)
        self._obs = _merged(mask, self._copy(batch.observe()), self._obs)
        self._steps[mask] = 0
        self._waiting[lanes] = False

    def _check(self, action: Tensor, lanes: Sequence[int]) -> None:
        check_shape(self.task, action, (self.num_envs, *self.contract.action.shape))
        finite = bool(torch.isfinite(action).all())
        bad = [] if finite else [lane for lane in lanes if not torch.isfinite(action[lane]).all()]
        check_step(self.task, action, bad, [lane for lane in lanes if self._waiting[lane]])

    def _ended(self, done: Tensor, obs: Obs) -> list[int]:
        """The lanes in which an episode ended, in one copy of flags to the host."""
        finite = [torch.isfinite(value).flatten(1).all(1) for value in obs.values() if value.is_floating_point()]
        flags = torch.stack([done, ~torch.stack(finite).all(0)]).cpu().numpy()
        if flags[1].any():
            raise NonFiniteError(
                f"{self.task}: the simulator's observation of lane {int(flags[1].argmax())} is not finite: its physics "
                "diverged; reset that lane, and take smaller actions"
            )
        return np.flatnonzero(flags[0]).tolist()

    def _lanes(self, ids: Sequence[int] | None) -> Sequence[int]:
        self._running()
        return chosen(self.task, ids, self.num_envs)

    def _running(self) -> Batch:
        if self._batch is None:
            raise BurnishError(f"{self.task}: this environment is closed (or failed before); make a new one")
        return self._batch

    def _seen(self, lane: int) -> bool:
        return int(self._steps[lane]) >= 0

    def _mask(self, lanes: Sequence[int]) -> Tensor:
        mask = torch.zeros(self.num_envs, dtype=torch.bool)
        mask[list(lanes)] = True
        return mask.to(self.device)

    @staticmethod
    def _copy(obs: Mapping[str, Tensor]) -> Obs:
        return {key: value.clone() for key, value in obs.items()}

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Inside, torch's generators are those of this environment; nobody else's stream may notice."""
        before, own = _generators(), self._stream
        if own is not None:
            _set_generators(own)
        try:
            yield
        finally:
            self._stream = _generators()
            _set_generators(before)


def _torch_device(device: str | None, task: str) -> str:
    """`device`, or a GPU if there is one. Raises `BurnishError` for a GPU that is not there."""
    if device is None:
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BurnishError(f"{task}: device={device!r}, but torch finds no CUDA device; take 'cpu', or none")
    return device


def _merged(mask: Tensor, inside: Obs, outside: Obs) -> Obs:
    return {
        key: torch.where(mask.view(-1, *[1] * (value.ndim - 1)), value, outside[key]) for key, value in inside.items()
    }


def _generators() -> tuple[Tensor, ...]:
    return (torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else ()))


def _set_generators(states: tuple[Tensor, ...]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state_all(list(states[1:]))
