"""An expert for legs. A Go2 stands and trots: diagonal pairs of legs swing to the clock that it is told; a G1 balances
(`unitree_balance`) or walks (`unitree_steps`).

The calf lifts the foot by a sine of the clock, the thigh sweeps it along the velocity of its own hip, and gravity's
direction is answered at once. Legs that follow softly are late, so the thigh is told early; by how much, and the other
numbers, were searched in the world itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from burnish import gait
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.datasets.experts.unitree_balance import law
from burnish.datasets.experts.unitree_steps import Sensed, Steps, walk, walker
from burnish.errors import BurnishError
from burnish.sim.base import VecEnv
from burnish.unitree import G1, GO2

PAIR, FRONT, LEFT = torch.tensor([[1.0, -1, -1, 1], [1, 1, -1, -1], [-1, 1, -1, 1]])
"""Of FR, FL, RR and RL: which swings first, which are in front, which on the left."""
HALF_LENGTH_M, HALF_WIDTH_M = 0.19, 0.14
"""From the body's middle to a foot."""


@dataclass(frozen=True)
class Trot:
    """Its numbers."""

    lift: float = 0.43
    """rad, of the calf to either side: most of it carries the body, under whose weight a soft leg bends."""
    couple: float = 0.48
    """Share of `lift` by which the thigh goes the other way, so that the foot moves up and down."""
    stride: float = 0.44
    """rad per m/s, of the thigh."""
    side: float = 0.36
    """rad per m/s, of the hip."""
    lead: float = 0.2
    """rad, by which legs are told early."""
    sweep: float = 1.61
    """rad, by which striding is told earlier than lifting."""
    inward: float = 0.012
    """rad, by which hips keep the feet nearer to the middle."""
    bent: tuple[float, float] = (0.035, 0.067)
    """rad, thigh and calf, on top of the standing pose."""
    lean: float = 0.077
    """rad per m/s forward, of the thighs."""
    roll_hip: float = 0.26
    """rad, of the hips per unit of gravity to the left, and"""
    roll_calf: float = 0.14
    """of the left calves; the right ones go the other way."""
    rate_hip: float = -0.017
    """rad per rad/s of rolling, of the hips."""
    pitch_calf: float = -0.68
    """rad, of the front calves per unit of gravity forward; the rear ones go the other way."""


TROT = Trot()


LATE_S = 0.03
"""From what an action answers to until joints have it."""
Known = Mapping[str, Tensor]
"""What is observed, by name: (N, 1) each."""


class UnitreeExpert:
    """It never disturbs itself, for its world pushes it."""

    def __init__(self, env: VecEnv, *, noise: float = 0.0, push_steps: int = 0) -> None:
        """`noise`, `push_steps`: of no use here. Raises `BurnishError` for another simulator's environment."""
        if not env.task.startswith("unitree/"):
            raise BurnishError(f"the legged robots' expert shows unitree/TASK, not {env.task}")
        self._fields, action = env.contract.observation, env.contract.action
        assert action.low is not None and action.high is not None
        self._low, self._high = torch.tensor(action.low), torch.tensor(action.high)
        self._answer = ANSWERS[action.names]()
        self.label: Tensor = (self._low + self._high).repeat(env.num_envs, 1) / 2

    def reset(self, lanes: Sequence[int], seeds: Sequence[int]) -> None:
        """It remembers nothing."""

    def looks(self) -> list[int]:
        """It is blind."""
        return []

    def act(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Actions to execute (N, A), which are their own labels."""
        keys = (STATE, ENVIRONMENT_STATE)
        known = {name: obs[key][:, [place]] for key in keys for place, name in enumerate(self._fields[key].names)}
        self.label = torch.minimum(torch.maximum(self._answer(known), self._low), self._high)
        return self.label


def trotting() -> Callable[[Known], Tensor]:
    """(N, 12) rad of what is known."""
    standing = torch.tensor(GO2.path[-1])
    return lambda known: torch.stack(trot(known), dim=-1).flatten(1) + standing


def balancing() -> Callable[[Known], Tensor]:
    """(N, 29) rad of what is known: the legs balance, or walk to their clock, and waist and arms are where they are to
    be, or stand."""
    rule = law(G1)
    hold, seen, gains, goals = (torch.from_numpy(part).float() for part in rule)
    names = ("gravity_x", "gravity_y", *(f"angular_velocity_{axis}" for axis in "xyz"), *G1.joints)
    names += tuple(f"{joint}_velocity" for joint in G1.joints)
    places = [G1.joints.index(joint) for joint in G1.follows]
    legs = [place for place in range(len(G1.joints)) if place not in places]
    rest = torch.tensor(G1.path[-1])[places]
    steps = walking()
    early = torch.tensor(G1.policy.kd)[places] / torch.tensor(G1.policy.kp)[places] + LATE_S

    def answer(known: Known) -> Tensor:
        action = hold - (torch.cat([known[name] for name in names], dim=1) - seen) @ gains.T
        if f"{G1.follows[0]}_reference" in known:
            wanted = torch.cat([known[f"{joint}_reference"] for joint in G1.follows], dim=1)
            speeds = torch.cat([known[f"{joint}_reference_velocity"] for joint in G1.follows], dim=1)
            action = action + (wanted - rest) @ goals.T
            action[:, places] += early * speeds  # what damps a joint is given to it
        if gait.CLOCK[0] in known:
            walks = torch.cat([known[name] for name in gait.CLOCK], dim=1).any(dim=1, keepdim=True)
            action[:, legs] = torch.where(walks, steps(known)[:, legs], action[:, legs])
        return action

    return answer


def walking() -> Callable[[Known], Tensor]:
    """(N, 29) rad of what is known: it walks to its clock, and waist and arms stand."""
    robot, standing, wish = walker(G1), torch.tensor(G1.path[-1]), Steps()

    def answer(known: Known) -> Tensor:
        def of(*names: str) -> Tensor:
            return torch.cat([known[name] for name in names], dim=1)

        now = Sensed(
            of("gravity_x", "gravity_y"),
            of(*(f"angular_velocity_{axis}" for axis in "xyz")),
            of(*G1.joints) - standing,
            of(*(f"{joint}_velocity" for joint in G1.joints)),
            of(*gait.VELOCITY),
            torch.atan2(known["clock_sin"], known["clock_cos"]),
        )
        return standing + walk(now, robot, 1 / (2 * G1.steps_hz), wish)

    return answer


ANSWERS: Mapping[tuple[str, ...], Callable[[], Callable[[Known], Tensor]]] = {
    GO2.joints: trotting,
    G1.joints: balancing,
}
"""Of the robot that has such joints."""


def trot(known: Mapping[str, Tensor], numbers: Trot = TROT) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 4) each: hips, thighs and calves beside standing, rad, of what is `known` by name (N, 1)."""
    forward, turning = known["velocity_x"], known["yaw_rate"]
    lifted, _ = _early(known, numbers.lead)
    _, swept = _early(known, numbers.lead + numbers.sweep)
    ahead = forward - HALF_WIDTH_M * LEFT * turning
    aside = known["velocity_y"] + HALF_LENGTH_M * FRONT * turning
    lift, (thigh, calf) = numbers.lift * PAIR * lifted, numbers.bent
    roll, pitch = known["gravity_y"], known["gravity_x"]
    return (
        numbers.roll_hip * roll
        + numbers.rate_hip * known["angular_velocity_x"]
        - numbers.inward * LEFT
        - numbers.side * aside * PAIR * swept,
        thigh + numbers.couple * lift + numbers.stride * ahead * PAIR * swept + numbers.lean * forward,
        calf - lift + numbers.roll_calf * roll * LEFT + numbers.pitch_calf * pitch * FRONT,
    )


def _early(known: Mapping[str, Tensor], angle: float) -> tuple[Tensor, Tensor]:
    """Sine and cosine of the clock, `angle` (rad) further on."""
    sine, cosine = known["clock_sin"], known["clock_cos"]
    ahead, aside = math.cos(angle), math.sin(angle)
    return sine * ahead + cosine * aside, cosine * ahead - sine * aside
