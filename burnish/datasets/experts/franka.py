"""Scripted experts of the Franka world: where the tool should go next, and the joints that take it there.

What an expert does is a function of the present observation alone; so are its labels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.datasets.experts.disturbance import Disturbance, DisturbedExpert
from burnish.datasets.experts.franka_scripts import SCRIPTS
from burnish.fr3 import DOWN, TOOL, frames
from burnish.sim.base import VecEnv
from burnish.sim.franka.kinematics import jacobian
from burnish.sim.franka.motion import HIGH, LOW

SPEED, TURN = 0.35, 1.5
"""Of the tool, m/s and rad/s."""
GAIN = 6.0
"""Share of the way still to go that is gone per s, near its end."""
ACCELERATION = 4.0
"""Of a joint, rad/s²: less than the set point's limit, so that it follows smoothly."""
DAMP, POSTURE = 0.05, 0.3
"""Of the least squares, and 1/s back to the start pose where the task leaves the choice."""
LARGEST = 0.03
"""rad per action: what `noise` is measured in; a push is up to half of it."""


class FrankaExpert(DisturbedExpert):
    """Executes the script's action plus noise and labels it with the clean one (DART, arXiv 1703.09327)."""

    def __init__(self, env: VecEnv, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """
        Args:
            noise: standard deviation of the Gaussian added to joint positions, in largest actions (0.03 rad).
            push_steps: the first 0 … `push_steps` steps of an episode (drawn per episode) are random pushes.
        Raises `UnknownNameError` for a task without an expert.
        """
        task = env.task.partition("/")[2]
        if task not in SCRIPTS:
            raise registry.unknown("expert of the Franka task", task, SCRIPTS)
        self._script, self._period = SCRIPTS[task], 1 / env.contract.action.rate_hz
        super().__init__(Disturbance(env.num_envs, 7, 7, noise=noise * LARGEST, push_steps=push_steps))
        self.label: Tensor = torch.zeros(env.num_envs, 8)

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, 8), rad and m; `label` holds the clean ones."""
        state, know = (obs[key].double().cpu().numpy() for key in (STATE, ENVIRONMENT_STATE))
        tool, axis, width = self._script(state, know)
        clean = np.concatenate([follow(state, tool, axis, self._period), width[:, None]], axis=1)
        executed = np.stack([self._disturbed(lane, row, state[lane]) for lane, row in enumerate(clean)])
        self.label = torch.from_numpy(clean.astype(np.float32))
        return torch.from_numpy(executed.astype(np.float32))

    def _disturbed(self, lane: int, clean: np.ndarray, state: np.ndarray) -> np.ndarray:
        push = self._disturbance.push(lane)
        if push is not None:
            return np.append(state[:7] + push * LARGEST / 2, clean[7])  # the arm is pushed, not the grip
        return clean + np.append(self._disturbance.noise(lane), 0.0)


def follow(state: np.ndarray, tool: np.ndarray, axis: np.ndarray, period_s: float) -> np.ndarray:
    """(n, 7) joint positions one action on, towards `tool` with the hand down and its fingers along `axis`.

    Damped least squares (Wampler 1986) with the start pose where the task leaves the choice.
    """
    joints, speed = state[:, :7], state[:, 7:14]
    placed = frames(joints)
    hand = placed[:, TOOL]
    step = _limited(GAIN * (tool - hand[:, :3, 3]), SPEED)
    turn = _limited(GAIN * _turn(hand[:, :3, :3], axis), TURN)
    moves = jacobian(placed)
    back = np.linalg.inv(moves @ moves.transpose(0, 2, 1) + DAMP**2 * np.eye(6))
    pseudo = moves.transpose(0, 2, 1) @ back
    home = POSTURE * (np.array(DOWN) - joints)
    task = np.concatenate([step, turn], axis=1) - np.einsum("nij,nj->ni", moves, home)
    wish = np.einsum("nij,nj->ni", pseudo, task) + home
    change = ACCELERATION * period_s
    # Faster only little by little; slower at once, so that what the arm does by itself is never gone along with.
    wish = np.clip(wish, np.minimum(speed, 0) - change, np.maximum(speed, 0) + change)
    return np.clip(joints + period_s * wish, LOW, HIGH)


def _turn(hand: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(n, 3) the rotation, rad, that takes the `hand` (n, 3, 3) down and its fingers' axis to ±`axis` (n, 2)."""
    flat = np.concatenate([axis, np.zeros((len(axis), 1))], axis=1)
    flat = flat * np.where((hand[:, :, 1] * flat).sum(axis=1, keepdims=True) < 0, -1, 1)
    down = np.broadcast_to([0.0, 0.0, -1.0], flat.shape)
    wanted = np.stack([np.cross(flat, down), flat, down], axis=2)
    return 0.5 * np.cross(hand, wanted, axis=1).sum(axis=2)


def _limited(vector: np.ndarray, most: float) -> np.ndarray:
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    return vector * np.minimum(1, most / np.maximum(length, 1e-9))
