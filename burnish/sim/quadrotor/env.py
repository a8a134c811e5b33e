"""Tasks of a quadrotor, thousands side by side in one tensor.

Observations and actions are those of the robot's driver (`burnish.real.quadrotor`) at the policy's rate, so what is
trained here is deployed unchanged; `observation.environment_state` says what is to be flown. Each episode has a vehicle
of its own: one policy for all of them has to find out in flight what it flies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, override

import torch
from torch import Tensor

from burnish.compiling import check_compiler
from burnish.contract import ENVIRONMENT_STATE, STATE, Contract, Field
from burnish.errors import BurnishError
from burnish.quadrotor import FRAME
from burnish.quadrotor import contract as robot_contract
from burnish.sim import protocols
from burnish.sim.about import known_task
from burnish.sim.base import Obs, Step, VecEnv
from burnish.sim.checks import check_seeds, check_shape, check_size, check_snapshot, check_step, chosen
from burnish.sim.quadrotor.flights import RATE_HZ, Flights, begin, sense, stepper
from burnish.sim.quadrotor.tasks import TASKS, Task
from burnish.sim.quadrotor.vehicles import Fleet, named
from burnish.sim.seeds import next_seed


def contract(task: Task) -> Contract:
    """The driver's at `RATE_HZ`, with bounds, and what is to be flown."""
    robot = robot_contract("motors", RATE_HZ)
    state = replace(robot.observation[STATE], normalization="mean_std")
    know = Field((len(task.names),), task.names, task.units, FRAME, RATE_HZ, "mean_std")
    return Contract({STATE: state, ENVIRONMENT_STATE: know}, replace(robot.action, low=(0.0,) * 4, high=(1.0,) * 4))


class QuadrotorWorld(VecEnv):
    """One task ("hover") in `num_envs` lanes, all of them one tensor wide.

    `info["crashed"]` (N,) bool: the episode ended by leaving the fence, by hitting the ground or a gate's frame, or
    spinning; it is among `truncated`. `info["dense_reward"]` (N,) float32 says how far each lane has come, between 0
    and 1; where a lane was reset by itself, of the episode that ended.

    Attributes:
        flights: what only a simulator knows, of every lane.
    """

    tasks = tuple(TASKS)
    has_dense_reward = True

    def __init__(
        self,
        name: str,
        *,
        num_envs: int,
        workers: int = 0,
        horizon: int | None = None,
        auto_reset: bool = False,
        dense_reward: bool = False,
        vehicle: str | None = None,
        fleet: Mapping[str, object] | None = None,
        noise: float = 1.0,
        pushed: float = 1.0,
        compiled: bool = False,
        device: str = "cpu",
    ) -> None:
        """
        Args:
            workers: tells nothing: torch shares the lanes among its own threads.
            vehicle: always this one ("x500"); None: drawn from `fleet`.
            fleet: fields of `Fleet`; None for all that RAPTOR was trained on.
            noise: of the sensors, in `flights.SENSORS`.
            pushed: how far from rest episodes begin, in `flights.PUSHED`.
            compiled: by `torch.compile`, which takes a while once, and needs a C++ compiler on a CPU.
        Raises `UnknownNameError` with the closest match, `BurnishError` for numbers that mean nothing or a compiler
        that is missing.
        """
        known_task("quadrotor", name, TASKS)
        self.task, self._task, self.contract = f"quadrotor/{name}", TASKS[name], contract(TASKS[name])
        self.max_episode_steps = protocols.horizon(self.task) if horizon is None else horizon
        check_size(self.task, num_envs, self.max_episode_steps)
        if workers < 0 or noise < 0 or pushed < 0:
            raise BurnishError(f"{self.task}: workers, noise and pushed must be 0 or more")
        self.num_envs, self.device, self._auto_reset = num_envs, torch.device(device), auto_reset
        self._dense = dense_reward
        self._fleet = Fleet.of(fleet or {})
        if vehicle is not None:
            named(vehicle, 1)
        if self._fleet.latency[1] > 1 / RATE_HZ:
            raise BurnishError(f"{self.task}: commands may come at most a step, {1 / RATE_HZ} s, late")
        self._vehicle, self._pushed, self._noise = vehicle, pushed, noise
        if compiled and self.device.type == "cpu":
            check_compiler()
        step = stepper(self._task, noise)
        self._step = torch.compile(step, fullgraph=True) if compiled else step
        self.restart()

    @override
    def restart(self) -> None:
        nothing = torch.zeros(self.num_envs, dtype=torch.int64, device=self.device)
        self._closed, self.flights = False, self._fresh(nothing)
        self.flights.steps.fill_(-1)

    @override
    def reset(self, seed: Sequence[int], ids: Sequence[int] | None = None) -> Obs:
        lanes = self._check_lanes(ids)
        check_seeds(self.task, seed, lanes)
        if len(lanes):
            self._begin(torch.tensor(list(lanes), device=self.device), seed)
        return self._observe(self.flights)

    @override
    def step(self, action: Tensor, ids: Sequence[int] | None = None) -> Step:
        active = self._active(ids)
        self._check_action(action, active)
        now, command = self.flights, action.to(self.device).clamp(0, 1).T.contiguous()  # one layout, compiled once
        told = (now.vehicle, now.state, command, now.command, now.goal, now.progress, now.seed, now.steps, active)
        found = self._step(*told)
        now.state, now.command, now.progress = found.state, found.command, found.progress
        now.steps = now.steps + active
        solved, crashed = found.solved, found.crashed
        truncated = (crashed | (active & (now.steps >= self.max_episode_steps))) & ~solved
        now.ended = now.ended | solved | truncated
        info = {"success": solved, "crashed": crashed}
        if self._dense:
            info["dense_reward"] = found.reward
        obs = {STATE: found.sensed, ENVIRONMENT_STATE: found.known} if ids is None else self._observe(now)
        return self._result(obs, solved, truncated, info)

    @override
    def render(self, ids: Sequence[int], size: int) -> Tensor:
        from burnish.sim.quadrotor.film import draw

        lanes, now = list(ids), self.flights
        known = self._task.know(now.goal, now.progress, now.steps.clamp(min=0) / RATE_HZ)
        return torch.from_numpy(draw(now.state[:, lanes].cpu().numpy(), known[:, lanes].cpu().numpy(), size))

    @override
    def state(self) -> list[Any]:
        self._open()
        rows = vars(self.flights)
        return [{key: value[..., lane].clone() for key, value in rows.items()} for lane in range(self.num_envs)]

    @override
    def restore(self, snapshot: list[Any]) -> Obs:
        self._open()
        check_snapshot(self.task, snapshot, self.num_envs)
        self.flights = Flights(**{key: torch.stack([one[key] for one in snapshot], dim=-1) for key in snapshot[0]})
        return self._observe(self.flights)

    @override
    def close(self) -> None:
        self._closed = True

    def _fresh(self, seed: Tensor) -> Flights:
        name = self._vehicle
        vehicle = self._fleet.draw(seed) if name is None else named(name, len(seed)).to(self.device)
        return begin(self._task, seed, vehicle, self._pushed)

    def _begin(self, lanes: Tensor, seeds: Sequence[int]) -> Flights:
        """New flights in `lanes`."""
        signed = [value - 2**64 if value >= 2**63 else value for value in seeds]
        fresh = self._fresh(torch.tensor(signed, dtype=torch.int64, device=self.device))
        for key, value in vars(fresh).items():
            setattr(self.flights, key, getattr(self.flights, key).index_copy(-1, lanes, value))
        return fresh

    def _result(self, obs: Obs, solved: Tensor, truncated: Tensor, info: dict[str, Any]) -> Step:
        final, done = obs, (solved | truncated).nonzero().flatten()
        if self._auto_reset and len(done):
            fresh = self._begin(done, [next_seed(value % 2**64) for value in self.flights.seed[done].tolist()])
            first = self._observe(fresh)
            obs = {key: value.index_copy(0, done, first[key]) for key, value in obs.items()}
        return Step(obs, solved.float(), solved, truncated, info | {"final_obs": final})

    def _observe(self, now: Flights) -> Obs:
        known = self._task.know(now.goal, now.progress, now.steps.clamp(min=0) / RATE_HZ)
        return {STATE: sense(now.state, now.seed, now.steps, self._noise), ENVIRONMENT_STATE: known.T.contiguous()}

    def _open(self) -> None:
        if self._closed:
            raise BurnishError(f"{self.task}: this environment is closed; make a new one")

    def _check_lanes(self, ids: Sequence[int] | None) -> Sequence[int]:
        self._open()
        return chosen(self.task, ids, self.num_envs)

    def _active(self, ids: Sequence[int] | None) -> Tensor:
        """(N,) bool."""
        lanes = self._check_lanes(ids)
        active = torch.full((self.num_envs,), ids is None, device=self.device)
        if ids is not None:
            active[list(lanes)] = True
        return active

    def _check_action(self, action: Tensor, active: Tensor) -> None:
        check_shape(self.task, action, (self.num_envs, 4))
        bad = ~torch.isfinite(action).all(dim=1).to(self.device) & active
        waiting = (self.flights.ended | (self.flights.steps < 0)) & active
        if (bad | waiting).any():
            check_step(self.task, action, *(flags.nonzero().flatten().tolist() for flags in (bad, waiting)))
