"""A Franka Research 3 whose policy commands, and observes, where its tool is: what most vision-language-action
policies do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from burnish.contract import STATE, Contract
from burnish.real.franka.body import tool
from burnish.real.franka.driver import SPEC, Franka, FrankaConfig
from burnish.real.franka.reach import ToolPoses


@dataclass(frozen=True)
class FrankaToolConfig(FrankaConfig):
    """How a Franka Research 3 is reached, and how its tool's pose is written down."""

    rotation: Literal["6d", "quaternion", "axis_angle"] = "6d"
    """6d: the tool's x and y axes (6 numbers); quaternion: w x y z; axis_angle: rad. In the base's frame."""


class FrankaTool(Franka):
    """The same robot, driver and limits: poses become joints before `Safety` sees them."""

    Config = FrankaToolConfig

    def __init__(self, config: FrankaToolConfig) -> None:
        super().__init__(config)
        self._poses = self.translator = ToolPoses(config.rotation)
        field = self._poses.field
        seen = Contract({STATE: field}, SPEC.contract.action)
        self.spec = replace(SPEC, name="franka-tool", contract=seen, asked=field)

    def _values(self, state: Any, width: float) -> np.ndarray:
        *axes, place = tool(list(state.q))
        return np.array([*place, *self._poses.rotation.write(np.array(axes).T), width])
