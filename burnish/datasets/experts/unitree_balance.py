"""A G1 that stands, whatever a clip does with its waist and arms: a linear regulator about its standing pose.

The simulator's own linearisation gives what the next step does with a small difference x and a small action u,

    x' = A x + B u,   y = C x + n.

The legs minimise x'Qx + r u'u (the discrete Riccati equation), which is mostly about the centre of mass over the feet.
What the robot does not measure, the action that is still on its way among it, is estimated from what it does, each
number as far as its noise allows: E[x | y] = S C' (C S C' + N)⁻¹ y, where S is how x varies under this very law
(iterated, for one follows from the other). Nothing is remembered, so that a policy without memory can imitate it: the
law is one matrix. Where a clip holds the arms elsewhere, the goal is the best state in which they can rest there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from burnish.sim.unitree.linearised import Line, linearised
from burnish.sim.unitree.world import PUSH_STEPS, SENSORS
from burnish.unitree import Model


@dataclass(frozen=True)
class Balance:
    """Its numbers, searched in the world itself."""

    effort: float = 30.0
    """r."""
    centre: float = 1000.0
    """Weight of the centre of mass's distance (m) to the middle of the feet, and"""
    drift: float = 30.0
    """of its speed;"""
    joints: float = 1.0
    """of the legs' and the body's angles (rad), and"""
    speeds: float = 0.01
    """of all speeds."""
    push: float = 0.3
    """m/s, by which it expects to be pushed, and"""
    shake: float = 0.15
    """rad/s, by which any joint is shaken from step to step: what the line does not know of the world."""
    slack: float = 0.002
    """rad, by which actions are not what was asked."""
    rounds: int = 60
    """Of estimating."""


class Law(NamedTuple):
    """action = hold − gains (y − seen) + goals (p − p at rest).

    Attributes:
        hold: (A,) rad, on which it stands.
        seen: (5 + 2A,) gravity x and y, angular velocity, joints and their speeds, while it does.
        gains: (A, 5 + 2A), nothing for the joints that follow.
        goals: (A, J) what positions p (J,) of the joints that follow ask of all joints.
    """

    hold: np.ndarray
    seen: np.ndarray
    gains: np.ndarray
    goals: np.ndarray


def law(model: Model, wish: Balance | None = None) -> Law:
    """For `model` on its feet, where `learning_model` has it."""
    wish = wish or Balance()
    line = linearised(model)
    a, b, size = line.a, line.b, len(model.joints)
    count, legs = len(a), [place for place, joint in enumerate(model.joints) if joint not in model.follows]
    # An action comes into effect a step after what it answers to: it is a part of the state until then.
    late = np.block([[a, b], [np.zeros((size, count + size))]])
    act = np.concatenate([np.zeros((count, size)), np.eye(size)])[:, legs]
    cost = np.zeros((count + size, count + size))
    cost[:count, :count] = _cost(line, wish, legs)
    cost += 1e-9 * np.eye(len(cost))
    gains = _regulator(late, act, cost, wish.effort)
    measured = np.concatenate([line.measured, np.zeros((len(line.measured), size))], axis=1)
    estimate = _estimator(late, act, gains, measured, _noise(line, wish, size), wish.rounds)
    goal, held = _rests(a, b, cost[:count, :count], [line.angles[model.joints.index(name)] for name in model.follows])
    answers = np.zeros((size, len(line.measured)))
    answers[legs] = gains @ estimate
    return Law(line.hold, line.seen, answers, held + answers @ line.measured @ goal)


def _cost(line: Line, wish: Balance, legs: list[int]) -> np.ndarray:
    """Q."""
    place, speed = line.centre[:2], line.centre[2:]
    cost = wish.centre * place.T @ place + wish.drift * speed.T @ speed
    posed = [*(line.angles[leg] for leg in legs), *line.tilts]
    cost[posed, posed] += wish.joints
    cost[range(line.speeds, len(cost)), range(line.speeds, len(cost))] += wish.speeds
    return cost


def _noise(line: Line, wish: Balance, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Covariances of what shakes x and late actions, and of the sensors."""
    count, first = len(line.a), line.speeds
    shaken = np.zeros(count + size)
    shaken[first : first + 2] = wish.push / np.sqrt(3 * PUSH_STEPS)
    shaken[[first + 3 + angle for angle in line.angles]] = wish.shake  # heights, tilts and joints are one less each
    shaken[count:] = wish.slack
    sensors = np.repeat(SENSORS, [2, 3, size, size])
    return np.diag(shaken**2), np.diag(sensors**2)


def _regulator(a: np.ndarray, b: np.ndarray, cost: np.ndarray, effort: float) -> np.ndarray:
    """K of u = −K x."""
    from scipy.linalg import solve_discrete_are

    price = effort * np.eye(b.shape[1])
    worth = solve_discrete_are(a, b, cost, price)
    return np.linalg.solve(price + b.T @ worth @ b, b.T @ worth @ a)


def _estimator(
    a: np.ndarray, b: np.ndarray, gains: np.ndarray, c: np.ndarray, noise: tuple[np.ndarray, np.ndarray], rounds: int
) -> np.ndarray:
    """L of E[x | y] = L y."""
    from scipy.linalg import solve_discrete_lyapunov

    shaken, sensors = noise
    spread = solve_discrete_lyapunov(a - b @ gains, shaken + 1e-4 * b @ b.T)
    estimate = np.zeros((len(a), len(c)))
    for _ in range(rounds):
        estimate = np.linalg.solve(c @ spread @ c.T + sensors, c @ spread).T
        answer = b @ gains @ estimate
        closed, more = a - answer @ c, shaken + answer @ sensors @ answer.T
        stable = np.abs(np.linalg.eigvals(closed)).max() < 1
        after = solve_discrete_lyapunov(closed, more) if stable else closed @ spread @ closed.T + more
        spread = (spread + after) / 2
    return estimate


def _rests(a: np.ndarray, b: np.ndarray, cost: np.ndarray, held: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """x (X, J) and u (A, J) per rad of each number that is `held`: least cost, of all with x = A x + B u."""
    count, size = len(a), b.shape[1]
    rest = np.zeros((count + len(held), count + size))
    rest[:count] = np.concatenate([a - np.eye(count), b], axis=1)
    rest[np.arange(count, len(rest)), held] = 1.0
    price = np.eye(count + size)
    price[:count, :count] = cost
    system = np.block([[price, rest.T], [rest, np.zeros((len(rest), len(rest)))]])
    wanted = np.zeros((len(system), len(held)))
    wanted[count + size + count :] = np.eye(len(held))
    found = np.linalg.lstsq(system, wanted, rcond=1e-12)[0]
    return found[:count], found[count : count + size]
