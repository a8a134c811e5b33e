"""The VecEnv of every simulator that runs one world at a time: lanes in a pool, tensors outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, override

import numpy as np
import torch
from torch import Tensor

from burnish.contract import Contract
from burnish.errors import BurnishError
from burnish.sim.base import Obs, Step, VecEnv
from burnish.sim.checks import check_seeds, check_seen, check_shape, check_size, check_snapshot, check_step, chosen
from burnish.sim.groups import LaneSpec
from burnish.sim.lanes import AHEAD, Arrays, Layout
from burnish.sim.pools import make_pool

Renderer = Callable[[list[Arrays], int], np.ndarray]
"""Poses of T lanes and a size in pixels to (T, size, size, 3) uint8."""


class LanesEnv(VecEnv):
    """N lanes made by `factory` ("package.module:Class") with keyword `arguments`, shared among `workers` processes."""

    def __init__(
        self,
        task: str,
        contract: Contract,
        factory: str,
        arguments: dict[str, Any],
        *,
        num_envs: int,
        workers: int,
        horizon: int,
        auto_reset: bool,
        renderer: Renderer,
        dense_reward: bool = False,
        group: str = "",
    ) -> None:
        """`group`: of `LaneSpec`, which steps all lanes at once."""
        check_size(task, num_envs, horizon)
        self.task, self.contract, self.num_envs = task, contract, num_envs
        self.max_episode_steps, self.device, self.cores = horizon, torch.device("cpu"), max(workers, 1)
        fields = contract.observation
        observation = {key: field.shape for key, field in fields.items() if key not in contract.looks}
        dtypes = {key: field.dtype for key, field in fields.items()}
        looks = {key: fields[key].shape for key in contract.looks}
        layout = Layout(num_envs, contract.action.shape[-1], observation, dtypes, looks, dense_reward)
        self.spec, self._workers = LaneSpec(factory, arguments, layout, horizon, auto_reset, group), workers
        self._pool, self._beside = make_pool(self.spec, workers), False
        self._renderer = renderer

    @override
    def reset(self, seed: Sequence[int], ids: Sequence[int] | None = None) -> Obs:
        lanes = self._activate(ids)
        check_seeds(self.task, seed, lanes)
        self._buffers.seed[list(lanes)] = seed
        self._pool.reset()
        return self._observations()

    @override
    def step(self, action: Tensor, ids: Sequence[int] | None = None) -> Step:
        self._activate(ids)
        buffers = self._buffers
        check_shape(self.task, action, buffers.action.shape)
        buffers.action[:] = action.detach().cpu().numpy()
        bad = np.flatnonzero(buffers.active & ~np.isfinite(buffers.action).all(axis=1)).tolist()
        check_step(self.task, action, bad, np.flatnonzero(buffers.active & buffers.ended).tolist())
        buffers.clear()
        self._pool.step()
        return self._result()

    @override
    def step_chunk(self, chunk: Tensor, ids: Sequence[int] | None = None) -> Step:
        """Each lane takes its actions by itself: processes meet once, and what is between them nobody observes."""
        length = chunk.shape[1] if chunk.dim() == 3 else 0
        if self.spec.group or not 1 <= length <= AHEAD:
            return super().step_chunk(chunk, ids)
        self._activate(ids)
        buffers = self._buffers
        check_shape(self.task, chunk, (self.num_envs, length, buffers.action.shape[1]))
        buffers.chunk[:, :length], buffers.length[:] = chunk.detach().cpu().numpy(), length
        bad = np.flatnonzero(buffers.active & ~np.isfinite(buffers.chunk[:, :length]).all(axis=(1, 2))).tolist()
        check_step(self.task, chunk, bad, np.flatnonzero(buffers.active & buffers.ended).tolist())
        buffers.clear()
        self._pool.step_chunk()
        step = self._result()
        step.info["steps"] = torch.from_numpy(buffers.taken.copy())
        return step

    @override
    def step_beside(self) -> bool:
        pool = self._pool.beside()
        self._pool, self._beside = pool or self._pool, pool is not None
        return self._beside

    @override
    def look(self, ids: Sequence[int]) -> Obs:
        self._activate(ids)
        check_seen(self.task, [lane for lane in ids if self._buffers.steps[lane] < 0])
        if self._buffers.look:
            self._pool.look()
        return {key: torch.from_numpy(value.copy()) for key, value in self._buffers.look.items()}

    @override
    def render(self, ids: Sequence[int], size: int) -> Tensor:
        return self.draw(self.poses(ids), size)

    def poses(self, ids: Sequence[int]) -> list[Arrays]:
        """What the renderer needs, per lane of `ids` in that order: some kilobytes each, to draw later."""
        lanes = self._activate(ids)
        by_lane = dict(zip(sorted(lanes), self._pool.poses(), strict=True))
        return [by_lane[lane] for lane in ids]

    def draw(self, poses: Sequence[Arrays], size: int) -> Tensor:
        """(T, size, size, 3) uint8 frames of T `poses`; many at once cost little more than one."""
        return torch.from_numpy(self._renderer(list(poses), size))

    @override
    def state(self) -> list[Any]:
        self._open()
        return self._pool.states()

    @override
    def restore(self, snapshot: list[Any]) -> Obs:
        check_snapshot(self.task, snapshot, self.num_envs)
        self._open()
        self._pool.restore(snapshot)
        return self._observations()

    @override
    def restart(self) -> None:
        self._pool.close()
        self._pool = make_pool(self.spec, self._workers)
        if self._beside:
            self.step_beside()

    @override
    def close(self) -> None:
        self._pool.close()

    @property
    def _buffers(self) -> Any:
        return self._pool.buffers

    def _open(self) -> None:
        if self._pool.closed:
            raise BurnishError(f"{self.task}: this environment is closed (or failed before); make a new one")

    def _activate(self, ids: Sequence[int] | None) -> Sequence[int]:
        self._open()
        lanes = chosen(self.task, ids, self.num_envs)
        self._buffers.active[:] = ids is None
        if ids is not None:
            self._buffers.active[lanes] = True
        return lanes

    def _observations(self) -> Obs:
        return {key: torch.from_numpy(value.copy()) for key, value in self._buffers.obs.items()}

    def _result(self) -> Step:
        buffers = self._buffers
        obs = self._observations()
        success, terminated, truncated, crashed, reward = (
            torch.from_numpy(flags)
            for flags in (
                buffers.success.copy(),
                buffers.terminated.copy(),
                buffers.truncated.copy(),
                buffers.crashed.copy(),
                buffers.success.astype(np.float32),
            )
        )
        final, done = obs, buffers.terminated | buffers.truncated
        if done.any():
            final = {key: value.clone() for key, value in obs.items()}
            for key, value in final.items():
                value.numpy()[done] = buffers.final[key][done]
        info: dict[str, Any] = {"success": success, "crashed": crashed, "final_obs": final}
        if buffers.dense_reward is not None:
            info["dense_reward"] = torch.from_numpy(buffers.dense_reward.copy())
        return Step(obs, reward, terminated, truncated, info)
