"""Scripted experts of robosuite's Lift, Stack and PickPlaceCan. What they do is a function of the observation alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.datasets.experts.disturbance import Disturbance, DisturbedExpert
from burnish.sim.base import VecEnv

REACH_M = 0.05
"""Displacement that an action of 1 commands."""
GAIN = 1.2
"""Of the way still to go, what one action commands: the arm follows late."""
HOVER_M, CLEAR_M, NEAR_M, HELD_M = 0.08, 0.04, 0.012, 0.02
OPENING_M = 0.075
"""The fingers are open when they are so far apart."""
TURN_RAD = 0.5
"""Rotation that an action of 1 commands."""
DOWN = np.diag([1.0, -1.0, -1.0])
"""Of the hand, as a matrix: where it looks at the start."""
UP = np.array([0.0, 0.0, 1.0])
OPEN, CLOSE = -1.0, 1.0
CAN_BIN = np.array([0.1975, 0.4025, 0.8])
"""Where the can belongs, m, world."""

Move = tuple[np.ndarray, float]
"""Where the hand should go (3,), m, world, and what the fingers do."""


class RobosuiteExpert(DisturbedExpert):
    """Executes the script's action plus noise and labels it with the clean one."""

    def __init__(self, env: VecEnv, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """`noise`, `push_steps`: see `Disturbance`. Raises `UnknownNameError` for a task without an expert."""
        task = env.task.partition("/")[2]
        if task not in SCRIPTS:
            raise registry.unknown("expert of the robosuite task", task, SCRIPTS)
        self._script = SCRIPTS[task]
        super().__init__(Disturbance(env.num_envs, 6, 3, noise=noise, push_steps=push_steps))
        self.label: Tensor = torch.zeros(env.num_envs, 7)

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, 7); `label` holds the clean ones."""
        states, objects = (obs[key].double().cpu().numpy() for key in (STATE, ENVIRONMENT_STATE))
        clean = np.stack(
            [action(state, *self._script(state, seen)) for state, seen in zip(states, objects, strict=True)]
        )
        self.label = torch.from_numpy(clean.astype(np.float32))
        return torch.from_numpy(self._disturbance.of(clean).astype(np.float32))


def action(state: np.ndarray, goal: np.ndarray, grip: float) -> np.ndarray:
    """(7,) towards `goal`, the fingers pointing down and the wrist as it was at the start."""
    move = (goal - state[:3]) / REACH_M * GAIN
    turn = np.cross(axes(state[3:6]), DOWN, axisa=0, axisb=0).sum(0) / 2 / TURN_RAD
    return np.array([*np.clip(move, -1, 1), *np.clip(turn, -1, 1), grip])


def axes(turned: np.ndarray) -> np.ndarray:
    """(3, 3) matrix of a rotation vector, rad (Rodrigues)."""
    angle = float(np.linalg.norm(turned)) or 1.0
    x, y, z = turned / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def release(state: np.ndarray) -> Move:
    """Open; then away, upwards."""
    opened = state[6] - state[7] > OPENING_M
    return state[:3] + UP * (HOVER_M * opened), OPEN


def grasp(state: np.ndarray, at: np.ndarray, half: float = 0.02) -> tuple[Move, bool]:
    """Take what is around `at`, `half` as high, from above; True once the fingers hold it."""
    hand, apart = state[:3], state[6] - state[7]
    away = hand - at
    beside = float(np.hypot(*away[:2]))
    if beside < HELD_M and abs(away[2]) < NEAR_M:
        return (at, CLOSE), apart < OPENING_M - 0.01
    if beside > NEAR_M and away[2] < half + CLEAR_M:
        return (hand + UP * HOVER_M, OPEN), False
    return (at if beside < NEAR_M else at + UP * (half + HOVER_M), OPEN), False


def carry(thing: np.ndarray, goal: np.ndarray, above: float, near: float = NEAR_M) -> np.ndarray:
    """By how much to move a held `thing` (3,) next: up, across, down to `goal`."""
    beside = float(np.hypot(*(goal - thing)[:2]))
    if beside < near:
        return goal - thing
    level = goal[2] + above
    if thing[2] < level - 0.02 and beside > 0.05:
        return np.array([0.0, 0.0, level + 0.03 - thing[2]])
    return np.array([*(goal - thing)[:2], level - thing[2]])


def lift(state: np.ndarray, seen: np.ndarray) -> Move:
    """The cube, up."""
    move, held = grasp(state, seen[:3])
    return (state[:3] + UP * HOVER_M, CLOSE) if held else move


def stack(state: np.ndarray, seen: np.ndarray) -> Move:
    """Cube A on cube B."""
    cube, base = seen[:3], seen[7:10]
    goal = base + UP * 0.045
    if np.hypot(*(cube - goal)[:2]) < NEAR_M and cube[2] - goal[2] < 0.01:
        return release(state)
    move, held = grasp(state, cube)
    return (state[:3] + carry(cube, goal, 0.06), CLOSE) if held else move


def pick_place_can(state: np.ndarray, seen: np.ndarray) -> Move:
    """The can into its quarter of the bin."""
    can, goal = seen[:3], CAN_BIN + UP * 0.08
    if np.hypot(*(can - goal)[:2]) < 0.06 and can[2] < goal[2] + 0.03:
        return release(state)
    move, held = grasp(state, can, 0.06)
    return (state[:3] + carry(can, goal, 0.17, 0.035), CLOSE) if held else move


SCRIPTS: dict[str, Callable[[np.ndarray, np.ndarray], Move]] = {
    "Lift": lift,
    "Stack": stack,
    "PickPlaceCan": pick_place_can,
}
