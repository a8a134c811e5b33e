"""ManiSkill as a lane: one world on a CPU, whose past is remembered, for PhysX keeps what it does not tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.sim.lanes import Arrays
from burnish.sim.libero.quiet import quiet
from burnish.sim.maniskill.tasks import TASKS
from burnish.sim.maniskill.uncertain import Uncertainty


class ManiSkillLane:
    """One environment of `task` ("PushCube-v1")."""

    def __init__(self, task: str, randomize: Mapping[str, float]) -> None:
        """`randomize`: what of `burnish.sim.randomize.Randomization` is asked for."""
        with quiet():
            import gymnasium
            import mani_skill.envs  # noqa: F401  (registers them)

            made = gymnasium.make(
                task,
                num_envs=1,
                obs_mode="state_dict",
                sim_backend="physx_cpu",
                render_backend="cpu",
                control_mode="pd_ee_delta_pose",
            )
        self._env: Any = made.unwrapped
        self._uncertain = Uncertainty(randomize)
        self._told = [name for name, _ in TASKS[task].told]
        self._past: list[np.ndarray] = []
        self._action_size = TASKS[task].action

    def reset(self, seed: int) -> None:
        """ManiSkill's own, from a seed as short as it takes."""
        self._seed, self._past = seed, []
        with quiet():
            short = int(np.random.SeedSequence(seed).generate_state(1)[0])
            self._uncertain.end()
            self._obs, info = self._env.reset(seed=short)
            self._uncertain.begin(seed, self._env.scene.actors.values())
        self._reward = float(self._env.get_reward(obs=self._obs, action=self._nothing, info=info))

    def step(self, action: np.ndarray) -> bool:
        """One control step of 50 ms."""
        self._past.append(action.copy())
        self._obs, reward, _, _, info = self._env.step(action)
        self._reward = float(reward)
        return bool(info["success"])

    def dense_reward(self, action: np.ndarray) -> float:
        """ManiSkill's own, between 0 and 1."""
        return self._reward

    def observe(self, out: Arrays) -> None:
        """Joints, and what a simulator knows."""
        agent, extra = self._obs["agent"], self._obs["extra"]
        known = np.concatenate([_flat(extra[name]) for name in self._told])
        joints, known = self._uncertain.seen(_flat(agent["qpos"]), known, len(self._past))
        out[STATE][:] = np.concatenate([joints, _flat(agent["qvel"])])
        out[ENVIRONMENT_STATE][:] = known

    def state(self) -> Arrays:
        """The episode's seed and all its actions."""
        past = np.stack(self._past) if self._past else np.zeros((0, self._action_size), np.float32)
        return {"seed": np.array(self._seed, np.uint64), "past": past}

    def restore(self, state: Arrays) -> None:
        """Play the episode again: the only way that is exact, and an episode is short."""
        self.reset(int(state["seed"]))
        for action in state["past"]:
            self.step(action)

    def pose(self) -> Arrays:
        """The episode so far."""
        return self.state()

    @property
    def _nothing(self) -> np.ndarray:
        return np.zeros((1, self._action_size), np.float32)


def _flat(value: Any) -> np.ndarray:
    return np.asarray(value, np.float32).ravel()
