"""Meta-World's scripted policies, one per task, acting in every lane of a vector environment."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.datasets.experts.disturbance import Disturbance, DisturbedExpert
from burnish.sim.base import VecEnv

SCALE = np.array([0.01, 0.01, 0.01, 1.0])
"""Meta-World's own units ([-1, 1]) to the contract's: metres per step (`action_scale` = 1/100) and gripper effort."""
PUSH_STEPS = 8
"""Steps for which one random push keeps its direction (0.1 s at 80 Hz)."""


def expert(env: VecEnv, *, noise: float = 0.0, push_steps: int = 0) -> MetaWorldExpert:
    """The expert of the task of `env`, for all its lanes."""
    return MetaWorldExpert(env.task.partition("/")[2], env.num_envs, noise=noise, push_steps=push_steps)


class MetaWorldExpert(DisturbedExpert):
    """Executes the script's action plus noise and labels it with the script's clean one."""

    def __init__(self, task_name: str, lanes: int, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """
        Args:
            task_name: e.g. "peg-insert-side". Raises `UnknownNameError` with the closest match.
            lanes: N, environments acted in.
            noise: standard deviation of the Gaussian added to every action, in largest actions (0.01 m; effort 1).
            push_steps: the first 0 … `push_steps` steps of an episode (drawn per episode) are random pushes.
        """
        from metaworld.policies import ENV_POLICY_MAP

        scripts = {name.removesuffix("-v3"): script for name, script in ENV_POLICY_MAP.items()}
        if task_name not in scripts:
            raise registry.unknown("Meta-World task", task_name, scripts)
        self._script: Any = scripts[task_name]()
        super().__init__(Disturbance(lanes, len(SCALE), 3, noise=noise, push_steps=push_steps, hold=PUSH_STEPS))
        self.label: Tensor = torch.zeros(lanes, len(SCALE))

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, 4), physical units; `label` holds the clean ones."""
        states = obs.get(ENVIRONMENT_STATE, obs[STATE]).double().cpu().numpy()
        clean = np.stack([self._scripted(state) for state in states])
        executed = self._disturbance.of(clean)  # the hand is pushed, the grip is left to the script
        self.label = torch.from_numpy((clean * SCALE).astype(np.float32))
        return torch.from_numpy((executed * SCALE).astype(np.float32))

    def _scripted(self, state: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            # The scripts warn on every step that their proportional control saturates; that is how they work.
            warnings.simplefilter("ignore")
            return np.clip(self._script.get_action(state), -1, 1)
