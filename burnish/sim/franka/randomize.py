"""What of a `Draw` is in the model: the object and the arm's controller."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from burnish.sim.franka.model import WEIGHT
from burnish.sim.randomize import Draw

if TYPE_CHECKING:
    import mujoco


def applied(draw: Draw, nominal: mujoco.MjModel) -> mujoco.MjModel:
    """A copy of the `nominal` model with this episode's object and controller."""
    model = copy.copy(nominal)
    if any(model.body(number).name == "object" for number in range(model.nbody)):
        number = model.body("object").id
        model.body_mass[number] *= draw.mass
        model.body_inertia[number] *= draw.mass
        model.actuator_biasprm[WEIGHT] *= draw.mass
        model.geom_friction[model.geom_bodyid == number] *= draw.friction
    model.actuator_biasprm[:7, 1:3] *= draw.stiffness[:, None]
    return model
