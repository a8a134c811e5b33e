"""LIBERO's scripted expert: reads the goal predicates and the poses of everything, plans, and acts by four skills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from burnish.datasets.experts.disturbance import Disturbance
from burnish.datasets.experts.libero_motion import OPEN, Aim, Motion, action
from burnish.datasets.experts.libero_planner import Step, plan
from burnish.datasets.experts.libero_skills import SKILLS
from burnish.datasets.experts.libero_world import World
from burnish.sim.lanes import Arrays
from burnish.sim.libero.env import Libero
from burnish.sim.libero.scene import scene

IDLE_STEPS = 5
"""Before planning anew where nothing can be done."""


class LiberoExpert:
    """Executes the planned action plus noise and labels it with the clean one (DART, arXiv 1703.09327).

    It knows more than an observation says: it asks `env` for the pose of everything in a lane.
    """

    def __init__(self, env: Libero, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """
        Args:
            noise: standard deviation of the Gaussian added to hand motions, in largest actions (5 cm; 0.5 rad).
            push_steps: the first 0 … `push_steps` steps of an episode (drawn per episode) are random pushes.
        """
        self._env = env
        self._disturbance = Disturbance(env.num_envs, 6, 3, noise=noise, push_steps=push_steps)
        self._actors: dict[int, _Actor] = {}
        self.label: Tensor = torch.zeros(env.num_envs, 7)

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """Start a new episode in `lanes`, its noise drawn from `seeds`."""
        self._disturbance.reset(lanes, seeds)
        for lane, pose in zip(lanes, self._env.poses(lanes), strict=True):
            world = World(scene(self._env.members[int(pose["numbers"][0])]))
            self._actors[lane] = _Actor(world, self._disturbance, lane)

    def looks(self) -> list[int]:
        """It reads poses."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, 7); `label` holds the clean ones. Lanes without an episode stand still."""
        lanes = sorted(self._actors)
        self.label, executed = torch.zeros(self._env.num_envs, 7), torch.zeros(self._env.num_envs, 7)
        for lane, pose in zip(lanes, self._env.poses(lanes), strict=True):
            clean, disturbed = self._actors[lane].act(pose)
            self.label[lane], executed[lane] = torch.from_numpy(clean), torch.from_numpy(disturbed)
        return executed


class _Actor:
    """One lane's episode."""

    def __init__(self, world: World, disturbance: Disturbance, lane: int) -> None:
        self._world, self._disturbance, self._lane = world, disturbance, lane
        self._motion = perform(world)
        self._seen: np.ndarray | None = None
        self._last = np.zeros(7), np.zeros(7)

    def act(self, pose: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """The clean and the disturbed action (7,) at a lane's `pose`."""
        # A lane that stands still has ended or was not asked to step: no time passes for it.
        if self._seen is None or not np.array_equal(pose["qpos"], self._seen):
            self._seen = pose["qpos"].copy()
            self._last = self._next(pose)
        return self._last

    def _next(self, pose: Arrays) -> tuple[np.ndarray, np.ndarray]:
        self._world.read(pose)
        clean = action(self._world, next(self._motion))
        disturbed, push = clean.copy(), self._disturbance.push(self._lane)
        if push is not None:
            disturbed[:6] = [*push, 0, 0, 0]
        disturbed[:6] += self._disturbance.noise(self._lane)
        return clean, np.clip(disturbed, -1, 1)


def perform(world: World) -> Motion:
    """Plan, use the first skill, plan anew, for ever: what went wrong is simply still to be done."""
    attempts: Counter[Step] = Counter()
    while True:
        steps = plan(world.goals, world)
        used = False
        if steps:
            for aim in SKILLS[steps[0].skill](world, steps[0], attempts[steps[0]]):
                used = True
                yield aim
            attempts[steps[0]] += 1
        if not used:
            for _ in range(IDLE_STEPS):
                yield Aim(world.hand, OPEN)
