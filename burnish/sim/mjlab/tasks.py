"""When an episode of mjlab counts as solved: its tasks reward, but few of them say so."""

from __future__ import annotations

import math
from typing import Any, override

import torch
from torch import Tensor

from burnish.sim.verdicts import Verdict

UPRIGHT_RAD, HELD_STEPS = 0.2, 100
"""Of the pole; 5 s at 20 Hz."""
VELOCITY_ERROR = 0.25
"""Mean difference to the commanded velocity in the ground's plane, m/s."""


class Held(Verdict):
    """The pole stays within `UPRIGHT_RAD` of upright for `HELD_STEPS` on end."""

    def __init__(self, count: int, device: str) -> None:
        super().__init__(count, device)
        self.held = torch.zeros(count, dtype=torch.long, device=device)

    @override
    def begin(self, lanes: Tensor) -> None:
        self.held[lanes] = 0

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        pole = env.scene["cartpole"]
        angle = pole.data.joint_pos[:, pole.find_joints("hinge_1")[0][0]]
        self.held = torch.where(torch.cos(angle) > math.cos(UPRIGHT_RAD), self.held + 1, 0)
        return self.held >= HELD_STEPS


class Lifted(Verdict):
    """mjlab's own word: the command term knows whether the cube is where it should be."""

    has_object = True

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        return env.command_manager.get_term(env.command_manager.active_terms[0]).compute_success()


class Walked(Verdict):
    """On its feet to the horizon, and as fast as commanded, on average."""

    def __init__(self, count: int, device: str) -> None:
        super().__init__(count, device)
        self.error, self.steps = torch.zeros(count, device=device), torch.zeros(count, device=device)

    @override
    def begin(self, lanes: Tensor) -> None:
        self.error[lanes] = self.steps[lanes] = 0.0

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        twist = env.command_manager.get_term("twist")
        self.error += torch.linalg.norm(twist.command[:, :2] - twist.robot.data.root_link_lin_vel_b[:, :2], dim=1)
        self.steps += 1
        return last & (self.error / self.steps < VELOCITY_ERROR)


class Followed(Verdict):
    """The motion was not lost until the horizon."""

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        return last


TASKS: dict[str, type[Verdict]] = {
    "Cartpole-Balance": Held,
    "Cartpole-Swingup": Held,
    "Lift-Cube-Yam": Lifted,
    "Lift-Cube-Yam-Rgb": Lifted,
    "Lift-Cube-Yam-Depth": Lifted,
    "Multi-Cube-Seg-Yam": Lifted,
    "Velocity-Flat-Unitree-Go1": Walked,
    "Velocity-Rough-Unitree-Go1": Walked,
    "Velocity-Flat-Unitree-G1": Walked,
    "Velocity-Rough-Unitree-G1": Walked,
    "Tracking-Flat-Unitree-G1": Followed,
    "Tracking-Flat-Unitree-G1-No-State-Estimation": Followed,
}
"""mjlab's name without "Mjlab-" → when it is solved."""
