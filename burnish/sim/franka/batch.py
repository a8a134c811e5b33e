"""N arms side by side on a GPU: what `world.World` and `group.RolloutGroup` do on threads, as one program.

Tasks, hands, halts and starts are the same code there and here; only the physics is MuJoCo-Warp's, in single precision,
and the motion of the set point a kernel. An episode is a function of its own seed, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, override

import numpy as np
import torch
import warp as wp
from torch import Tensor

from burnish.arrays import Constant
from burnish.contract import ENVIRONMENT_STATE, STATE, Contract
from burnish.sim.base import Obs
from burnish.sim.batched import Batch
from burnish.sim.franka import kernels
from burnish.sim.franka.bank import Bank
from burnish.sim.franka.halts import refused
from burnish.sim.franka.hand import WIDEST, Hands
from burnish.sim.franka.model import ARM, DAMPING, FINGER, STIFFNESS, TIMESTEP_S, has_fixture, physics_model
from burnish.sim.franka.physics import Physics, own
from burnish.sim.franka.scene import opening, scene
from burnish.sim.franka.starts import first, moving
from burnish.sim.franka.task import Task
from burnish.sim.lanes import Arrays
from burnish.sim.quadrotor.noise import normal
from burnish.sim.randomize import Draw, Randomization
from burnish.sim.rows import Rows

KP, KD = Constant(STIFFNESS), Constant(DAMPING)
EVERY = slice(None)


class WarpBatch(Batch):
    """N lanes of one `task`."""

    def __init__(
        self,
        task: Task,
        contract: Contract,
        randomize: Mapping[str, float],
        bank: tuple[Path, float] | None,
        halts: bool,
        num_envs: int,
        horizon: int,
        device: str,
    ) -> None:
        """`bank`: file, and share of the episodes that begin in one of its states; `halts`: whether they end where the
        driver would halt. Raises `BurnishError`."""
        self.contract, self.num_envs, self.device = contract, num_envs, torch.device(device)
        rate_hz = contract.action.rate_hz
        self._bank = None if bank is None else Bank(*bank, task.name, rate_hz)
        self.forgiving = not halts
        self._task, self._ticks = task, round(1 / (rate_hz * TIMESTEP_S))
        self._randomization, self._nominal = Randomization.of(randomize), physics_model(task)
        alike = not (has_fixture(self._nominal, task) or self._randomization.changes_model)
        self._physics = Physics(task, num_envs, self._ticks, device, alike=alike)
        self._cameras: Any = None
        self._allocate(device)
        self._limits, self._joining = kernels.joints(device), kernels.joining(self._ticks, TIMESTEP_S, device)

    def _allocate(self, device: str) -> None:
        """Everything that an episode's future depends on, a row per lane."""
        lanes, ticks, zeros = self.num_envs, self._ticks, partial(torch.zeros, dtype=torch.float64, device=device)
        whole = partial(torch.zeros, lanes, dtype=torch.int64, device=device)
        self._hands = Hands(lanes, ticks, TIMESTEP_S, zeros)
        self._path = zeros(2, ticks, lanes, 7)
        self._state: dict[str, Tensor] = {
            "qpos": self._physics.qpos,
            "qvel": self._physics.qvel,
            "target": zeros(lanes, self._task.targets),
            "plan": zeros(lanes, ticks, self._nominal.nu),
            "last": zeros(lanes, 7),
            "motion": zeros(lanes, 3, 7),
            "hand": self._hands.now.T,
            "gains": zeros(lanes, 7) + 1,
            "late": whole(),
            "sight": zeros(lanes, 10),
            "seed": whole(),
            "steps": whole(),
        } | self._physics.own
        self._halted = torch.zeros(lanes, dtype=torch.bool, device=device)
        self._scene = self._judged()

    @override
    def begin(self, lanes: Tensor, seeds: Sequence[int]) -> None:
        rows = [self._start(seed) for seed in seeds]
        for name in rows[0]:
            together = torch.from_numpy(np.stack([row[name] for row in rows]))
            self._state[name][lanes] = together.to(self.device, self._state[name].dtype)
        self._scene = self._judged()

    @override
    def step(self, action: Tensor) -> None:
        now, action = self._state, self._heeded(action.double())
        self._move(action[:, :7].contiguous())
        position, velocity = self._path
        torque = (position * KP.like(position) + velocity * KD.like(position)) * now["gains"]
        wide = self._hands.follow(EVERY, action[:, 7].clip(0, WIDEST), opening(now["qpos"]).double())
        plan = torch.zeros_like(now["plan"])
        plan[:, :, ARM], plan[:, :, FINGER] = torque.transpose(0, 1), wide[:, :, None] / 2
        self._physics.plan[:] = self._delayed(plan).transpose(0, 1)
        now["plan"][:] = plan
        self._physics.step()
        now["steps"] += 1
        self._hands.look(EVERY, opening(now["qpos"]).double())
        self._scene = self._judged()

    @override
    def observe(self) -> Obs:
        qpos, qvel, wrong = self._state["qpos"], self._state["qvel"], self._randomization
        state = torch.cat([qpos[:, ARM], qvel[:, ARM], self._hands.told(EVERY)[:, None].float()], dim=1)
        know = self._task.know(self._scene).float()
        if wrong.joint_noise or wrong.object_noise:
            drawn = self._noise(7 + know.shape[1])
            state[:, ARM] += wrong.joint_noise * drawn[:, :7]
            know += wrong.object_noise * drawn[:, 7:]
        return {STATE: state, ENVIRONMENT_STATE: know}

    @override
    def judge(self, last: Tensor) -> tuple[Tensor, Tensor]:
        return self._task.solved(self._scene) & ~self._halted, self._halted

    @override
    def reward(self) -> Tensor:
        return (self._task.reward(self._scene) * ~self._halted).float()

    @override
    def rows(self) -> Rows:
        return Rows(self._state, {}, (), self.num_envs)

    @override
    def look(self) -> Obs:
        from burnish.sim.franka.cameras import Cameras

        if self._cameras is None:
            told, device = self.contract, str(self.device)
            self._cameras = Cameras(self._task.name, told.cameras, told.points, lanes=self.num_envs, device=device)
        fields = {key: self.contract.observation[key] for key in self.contract.looks}
        seen = {key: np.empty((self.num_envs, *field.shape), field.dtype) for key, field in fields.items()}
        self._cameras.look_at(self.poses(range(self.num_envs)), seen)
        return {key: torch.from_numpy(value).to(self.device) for key, value in seen.items()}

    @override
    def draw(self, lanes: Sequence[int], size: int) -> np.ndarray:
        from burnish.sim.franka.env import render

        return render(self._task, self.poses(lanes), size)

    @override
    def close(self) -> None:
        if self._cameras is not None:
            self._cameras.close()

    def poses(self, lanes: Sequence[int]) -> list[Arrays]:
        """As `World.pose` has them."""
        parts = {name: self._state[name].double().cpu().numpy() for name in ("qpos", "target", "sight")}
        return [{name: part[lane] for name, part in parts.items()} for lane in lanes]

    def _start(self, seed: int) -> Arrays:
        """A lane's rows at the start of the episode of `seed`."""
        draw, kept = Draw(self._randomization, seed), None if self._bank is None else self._bank.draw(seed)
        state = (
            first(self._task, self._nominal, self._ticks, seed)
            if kept is None
            else {**kept, "seed": np.array(seed, np.uint64)}
        )
        if kept is None:
            state["plan"][:, ARM] *= draw.stiffness
        state["qpos"], state["qvel"] = moving(self._nominal, state.pop("physics"))
        state["seed"] = state["seed"].astype(np.int64)
        late, steps = np.array(round(draw.latency_s / TIMESTEP_S)), np.array(0)
        state |= {"gains": draw.stiffness, "sight": draw.sight, "late": late, "steps": steps}
        return state | (own(self._task, draw, state["target"]) if self._physics.own else {})

    def _heeded(self, action: Tensor) -> Tensor:
        """`action`, but where the robot's driver would halt: what it refuses is not done."""
        here = self._state["motion"][:, 0]
        self._halted = refused(here, action[:, :7])
        kept = torch.cat([here, self._hands.wished(EVERY)[:, None]], dim=1)
        return torch.where(self._halted[:, None], kept, action)

    def _move(self, action: Tensor) -> None:
        """Write the set points' `_path` to `action` (N, 7)."""
        parts = [wp.from_torch(self._state[name]) for name in ("motion", "last")]
        given = [wp.from_torch(action), self._limits, self._joining, wp.float64(TIMESTEP_S)]
        stream = wp.stream_from_torch(torch.cuda.current_stream(self.device)) if self.device.type == "cuda" else None
        path, device = wp.from_torch(self._path), str(self.device)
        wp.launch(kernels.follow, (self.num_envs, 7), given, [*parts, path], device=device, stream=stream)

    def _delayed(self, plan: Tensor) -> Tensor:
        """(N, ticks, nu) the end of the last plan, as long as actions are late, then the beginning of this one."""
        if not self._randomization.latency_s:
            return plan
        both = torch.cat([self._state["plan"], plan], dim=1)
        ticks = torch.arange(self._ticks, 2 * self._ticks, device=self.device) - self._state["late"][:, None]
        return both.gather(1, ticks[:, :, None].expand_as(plan))

    def _judged(self) -> Any:
        now = self._state
        return scene(self._task, now["qpos"].double(), now["qvel"].double(), now["target"])

    def _noise(self, numbers: int) -> Tensor:
        """(N, numbers) float32, standard normal: a function of each lane's seed and how far its episode is."""
        even = numbers + numbers % 2
        return normal(self._state["seed"], self._state["steps"] * even, even)[:numbers].T
