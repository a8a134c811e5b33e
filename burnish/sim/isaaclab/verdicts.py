"""When an episode of Isaac Lab counts as solved. Isaac Lab itself tells one number for all lanes, if any."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, override

import torch
from torch import Tensor

from burnish.sim.verdicts import Verdict

UPRIGHT_RAD, HELD_STEPS = 0.2, 120
"""Of the pole; 2 s at 60 Hz."""


class Held(Verdict):
    """The pole stays within `UPRIGHT_RAD` of upright for `HELD_STEPS` on end.

    Isaac Lab's own count, that the cart did not leave its rail, is met by whoever does nothing.
    """

    def __init__(self, count: int, device: str) -> None:
        super().__init__(count, device)
        self.held = torch.zeros(count, dtype=torch.long, device=device)
        self.pole = -1

    @override
    def begin(self, lanes: Tensor) -> None:
        self.held[lanes] = 0

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        (robot,) = env.scene.articulations.values()
        if self.pole < 0:  # to look up names takes longer than to judge
            self.pole = robot.joint_names.index("cart_to_pole")
        angle = robot.data.joint_pos.torch[:, self.pole]
        self.held = torch.where(torch.cos(angle) > math.cos(UPRIGHT_RAD), self.held + 1, 0)
        return (self.held >= HELD_STEPS) & ~env.reset_terminated


class Survived(Verdict):
    """Isaac Lab's own: nothing ended the episode before its horizon."""

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        return last & ~env.reset_terminated


class Ended(Verdict):
    """Isaac Lab's own: success is what ended the episode."""

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        return env.termination_manager.get_term("success").clone()


class Rewarded(Verdict):
    """Isaac Lab's own: the reward `term` notes whether the episode has succeeded."""

    def __init__(self, term: str, count: int, device: str) -> None:
        super().__init__(count, device)
        self.term = term

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        return env.reward_manager.get_term_cfg(self.term).func.succeeded.clone()


class Opened(Verdict):
    """Isaac Lab's own: the drawer is open by 30 cm."""

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        return env._episode_succeeded.clone()


class Walked(Verdict):
    """Isaac Lab's own: no fall up to the horizon, and on average as fast as commanded, within its thresholds."""

    @override
    def judge(self, env: Any, last: Tensor) -> Tensor:
        command = env.command_manager.get_term("base_velocity")
        steps, told = command._step_count.clamp_min(1.0), command.cfg
        ahead, turning = command._error_xy_sum / steps, command._error_yaw_sum / steps
        good = (ahead < told.vel_xy_success_threshold) & (turning < told.vel_yaw_success_threshold)
        return last & good & ~env.reset_terminated


VERDICTS: dict[str, Callable[[int, str], Verdict]] = {
    "held": Held,
    "survived": Survived,
    "reached": Ended,
    "drawer": partial(Rewarded, "open_drawer_bonus"),
    "opened": Opened,
    "walked": Walked,
}
"""Of `tasks.TASKS`."""
