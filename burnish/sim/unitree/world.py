"""The physics of N walking robots: one call of `mujoco.rollout` per action for all of them, on threads."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import override

import mujoco
import numpy as np
import torch
from mujoco import rollout
from torch import Tensor

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.errors import BurnishError
from burnish.sim.base import Obs
from burnish.sim.batched import Batch
from burnish.sim.camera import Camera
from burnish.sim.rows import Rows
from burnish.sim.unitree.contract import RATE_HZ, contract
from burnish.sim.unitree.model import LEARNING_TIMESTEP_S, joint_names, learning_model
from burnish.sim.unitree.randomize import Randomization, apply
from burnish.sim.unitree.tasks import Moment, Task

TICKS = round(1 / (RATE_HZ * LEARNING_TIMESTEP_S))
SHARE = 0.8
"""Of the speed limit, that `Safety` uses."""
ARRIVES = 0
"""The tick by whose end a robot has been told the next action."""
LOWEST = 0.5
"""Of its height while it stands; lower, it has fallen."""
SENSORS = (0.02, 0.1, 0.01, 0.5)
"""Standard deviation of gravity, angular velocity (rad/s), joint positions (rad) and their velocities (rad/s)."""
PUSH_STEPS = 250
FULL = mujoco.mjtState.mjSTATE_FULLPHYSICS
EYE, TARGET = (3.5, -3.5, 1.9), (0.0, 0.0, 0.65)
"""Of the camera, in heights of the body while it stands."""


class UnitreeBatch(Batch):
    """N robots of one kind."""

    def __init__(
        self,
        name: str,
        task: Task,
        threads: int,
        uncertain: Randomization,
        num_envs: int,
        horizon: int,
        device: str,
    ) -> None:
        """Raises `BurnishError` for another device than a CPU."""
        if device != "cpu":
            raise BurnishError(f"unitree/{name} runs on a CPU, not on device={device!r}")
        self.num_envs, self.device, self.contract = num_envs, torch.device("cpu"), contract(task)
        model = task.model
        self._task, self._uncertain, self._size = task, uncertain, len(model.joints)
        self._nominal = learning_model(model)
        self._models = [copy.copy(self._nominal) for _ in range(num_envs)]
        self._data = [mujoco.MjData(self._nominal) for _ in range(max(threads, 1))]
        self._threads = rollout.Rollout(nthread=threads if threads > 1 else 0)
        names = joint_names(model)
        self._q = torch.tensor([self._nominal.joint(name).qposadr[0] for name in names])
        self._v = torch.tensor([self._nominal.joint(name).dofadr[0] for name in names])
        self._pose = torch.tensor(model.path[-1], dtype=torch.float64)
        self._most = torch.tensor(model.limits.velocity, dtype=torch.float64) * SHARE * LEARNING_TIMESTEP_S
        self._jump, self._tilt = torch.tensor(model.limits.jump, dtype=torch.float64), model.tilt
        self._noise = uncertain.noise * torch.tensor(SENSORS).repeat_interleave(
            torch.tensor([3, 3, self._size, self._size])
        )
        self._foot_m, self._height = self._stand()
        self._allocate()

    def _allocate(self) -> None:
        """Everything that an episode's future depends on, a row per lane."""
        count, double = self.num_envs, partial(torch.zeros, dtype=torch.float64)
        self._lanes: dict[str, Tensor] = {
            "physics": double(count, mujoco.mj_stateSize(self._nominal, FULL)),
            "target": double(count, self._size),
            "setpoint": double(count, self._size),
            "asked": double(count, 3),
            "factors": double(count, 2 + self._size) + 1,
            "late": torch.zeros(count, dtype=torch.int64),
            "pace": double(count, 2),
            "seconds": double(count),
            "error": double(count),
            "steps": double(count),
            "halted": torch.zeros(count, dtype=torch.bool),
            "seen": torch.zeros(count, self.contract.observation[STATE].shape[0]),
        }
        self._applied = np.ones((count, 2 + self._size))
        self._physics = self._lanes["physics"].numpy()
        self._reward, self._failed = torch.zeros(count), torch.zeros(count, dtype=torch.bool)

    def _stand(self) -> tuple[float, float]:
        """The radius of a foot, and the body's height on its feet, m."""
        data, balls = self._data[0], self._nominal.geom_type == mujoco.mjtGeom.mjGEOM_SPHERE
        data.qpos[self._q.numpy()] = self._pose.numpy()
        data.qpos[2] = 1.0
        mujoco.mj_forward(self._nominal, data)
        below = data.geom_xpos[balls, 2] - self._nominal.geom_size[balls, 0]
        lowest = int(np.argmin(below))
        return float(self._nominal.geom_size[balls][lowest, 0]), 1.0 - float(below[lowest])

    @override
    def begin(self, lanes: Tensor, seeds: Sequence[int]) -> None:
        count, now, nq = len(lanes), self._lanes, self._nominal.nq
        joints = self._pose + self._task.start * torch.randn(count, self._size, dtype=torch.float64)
        physics = torch.zeros(count, now["physics"].shape[1], dtype=torch.float64)
        physics[:, 3], physics[:, 4] = self._height + 0.01, 1.0
        physics[:, 1 + self._q] = joints
        physics[:, 1 + nq : 7 + nq] = 2 * self._task.start * torch.randn(count, 6, dtype=torch.float64)
        now["physics"][lanes] = physics
        now["target"][lanes] = now["setpoint"][lanes] = joints
        now["asked"][lanes] = self._task.draw(count)
        now["factors"][lanes] = self._uncertain.draw(count, self._size)
        now["late"][lanes] = TICKS - torch.randint(round(self._uncertain.early * TICKS) + 1, (count,))
        now["seconds"][lanes] = self._task.begins * torch.rand(count, dtype=torch.float64)
        now["error"][lanes] = now["steps"][lanes] = 0.0
        now["pace"][lanes] = 0.0
        now["halted"][lanes] = False
        self._sense(lanes)

    @override
    def step(self, action: Tensor) -> None:
        now, target = self._lanes, action.double()
        plan, jumped = self._move(target)
        self._push()
        self._change_models()
        states, sensors = self._threads.rollout(
            self._models, self._data, self._physics, plan, nstep=TICKS, skip_checks=False
        )
        self._physics[:] = states[:, -1]
        lost = ~np.isfinite(self._physics).all(1)
        self._physics[lost] = 0.0  # fallen, and no number that spreads
        now["seconds"] += 1 / RATE_HZ
        moment = self._moment(torch.from_numpy(sensors[:, -1]), target - now["target"])
        now["target"] = target.clone()
        now["error"] += self._task.error(moment)
        now["steps"] += 1
        fallen = (-moment.gravity[:, 2] < np.cos(self._tilt)) | (moment.above < (LOWEST - 1) * self._height)
        self._failed = fallen | torch.from_numpy(lost)
        now["halted"] |= jumped
        self._reward = (self._task.reward(moment) * ~(self._failed | jumped)).float()
        self._sense(torch.arange(self.num_envs))

    @override
    def observe(self) -> Obs:
        return {STATE: self._lanes["seen"], ENVIRONMENT_STATE: self._told()}

    @override
    def judge(self, last: Tensor) -> tuple[Tensor, Tensor]:
        follows = self._lanes["error"] / self._lanes["steps"] < self._task.most
        return last & follows & ~self._lanes["halted"] & ~self._failed, self._failed

    @override
    def reward(self) -> Tensor:
        return self._reward

    @override
    def rows(self) -> Rows:
        return Rows(self._lanes, {}, (), self.num_envs)

    @override
    def draw(self, lanes: Sequence[int], size: int) -> np.ndarray:
        from burnish.sim.raytrace import pose_of, raytrace

        data, poses = mujoco.MjData(self._nominal), []
        for lane in lanes:
            data.qpos[:] = self._physics[lane, 1 : 1 + self._nominal.nq]
            data.qpos[:2] = 0.0  # the camera goes with it
            mujoco.mj_kinematics(self._nominal, data)
            poses.append(pose_of(data))
        eye, target = ((x * self._height, y * self._height, z * self._height) for x, y, z in (EYE, TARGET))
        return raytrace(self._nominal, poses, Camera(eye, target), size)

    @override
    def close(self) -> None:
        self._threads.close()

    def _move(self, target: Tensor) -> tuple[np.ndarray, Tensor]:
        """(N, TICKS, A): where `Safety` has the set points, at first on their way to the last target. It looks at
        `target` when that arrives: (N,) where it would halt, for that is too far away."""
        now, found, jumped = self._lanes, [], torch.zeros(self.num_envs, dtype=torch.bool)
        for tick in range(TICKS):
            goal = torch.where((tick >= now["late"])[:, None], target, now["target"])
            change = torch.minimum(torch.maximum(goal - now["setpoint"], -self._most), self._most)
            now["setpoint"] = now["setpoint"] + change
            found.append(now["setpoint"])
            if tick == ARRIVES:
                jumped = ((target - now["setpoint"]).abs() > self._jump).any(1)
        return torch.stack(found, dim=1).numpy(), jumped

    def _push(self) -> None:
        hit = torch.rand(self.num_envs, 1) < 1 / PUSH_STEPS
        most = self._uncertain.push
        speed = hit * most * (2 * torch.rand(self.num_envs, 2, dtype=torch.float64) - 1)
        first = 1 + self._nominal.nq
        self._lanes["physics"][:, first : first + 2] += speed

    def _change_models(self) -> None:
        """Those of lanes whose episodes have other factors than before."""
        factors = self._lanes["factors"].numpy()
        for lane in np.flatnonzero((factors != self._applied).any(1)):
            apply(factors[lane], self._nominal, self._models[lane])
        self._applied[:] = factors

    def _parts(self) -> tuple[Tensor, Tensor]:
        """(N, nq) and (N, nv); in the state they come after the time."""
        nq, nv = self._nominal.nq, self._nominal.nv
        physics = self._lanes["physics"]
        return physics[:, 1 : 1 + nq], physics[:, 1 + nq : 1 + nq + nv]

    def _moment(self, feet: Tensor, change: Tensor) -> Moment:
        qpos, qvel = self._parts()
        w, x, y, z = qpos[:, 3:7].T
        heading = torch.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
        ahead, left = heading.cos(), heading.sin()
        along = qvel[:, 0] * ahead + qvel[:, 1] * left
        across = qvel[:, 1] * ahead - qvel[:, 0] * left
        velocity = torch.stack([along, across, qvel[:, 2]], dim=1)
        pace = self._lanes["pace"]
        pace += (velocity[:, :2] - pace) / (1 + RATE_HZ * self._task.sways_s)
        return Moment(
            self._told(),
            velocity,
            pace,
            qvel[:, 3:6],
            _gravity(qpos[:, 3:7]),
            qpos[:, 2] - self._height,
            feet[:, 2::3] - self._foot_m,
            change,
            qpos[:, self._q],
            qvel[:, self._v],
        )

    def _told(self) -> Tensor:
        """(N, K) what the lanes are asked for."""
        return torch.from_numpy(self._task.tell(self._lanes["asked"].numpy(), self._lanes["seconds"].numpy()))

    def _sense(self, lanes: Tensor) -> None:
        """What `lanes` observe of themselves, noise and all."""
        qpos, qvel = (part[lanes] for part in self._parts())
        exact = torch.cat([_gravity(qpos[:, 3:7]), qvel[:, 3:6], qpos[:, self._q], qvel[:, self._v]], dim=1)
        self._lanes["seen"][lanes] = exact.float() + self._noise * torch.randn(exact.shape)


def _gravity(quaternion: Tensor) -> Tensor:
    """(N, 3) the direction of gravity in the body's frame; `quaternion` (N, 4): w, x, y, z of the body in the world."""
    w, x, y, z = quaternion.T
    return torch.stack([2 * (w * y - x * z), -2 * (w * x + y * z), 2 * (x * x + y * y) - 1], dim=1)
