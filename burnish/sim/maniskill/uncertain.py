"""What is uncertain in one world of ManiSkill's: its objects, in PhysX, and what is observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from burnish.sim.randomize import Draw, Randomization

DRAWN = ("mass", "friction", "joint_noise", "object_noise")
"""Of `Randomization`."""


class Uncertainty:
    """Of one lane; none without `settings`."""

    def __init__(self, settings: Mapping[str, float]) -> None:
        self._randomization, self._seed = Randomization.of(settings), 0
        self._before: list[tuple[Any, float, np.ndarray, list[tuple[Any, Any]]]] = []

    def begin(self, seed: int, actors: Iterable[Any]) -> None:
        """Change the objects among `actors`, which are new or as `end` has left them, for the episode of `seed`."""
        self._seed = seed
        if not self._randomization.changes_model:
            return
        draw = Draw(self._randomization, seed)
        for body in (body for actor in actors for body in actor._bodies if _moves(body)):
            shapes = [(shape, shape.physical_material) for shape in body.collision_shapes]
            self._before.append((body, body.mass, body.inertia, shapes))
            body.mass, body.inertia = body.mass * draw.mass, body.inertia * draw.mass
            for shape, material in shapes:
                shape.physical_material = _slippery(material, draw.friction)

    def end(self) -> None:
        """Leave the objects as they were before `begin`."""
        for body, mass, inertia, shapes in self._before:
            body.mass, body.inertia = mass, inertia
            for shape, material in shapes:
                shape.physical_material = material
        self._before = []

    def seen(self, joints: np.ndarray, known: np.ndarray, moment: int) -> tuple[np.ndarray, np.ndarray]:
        """Joint positions, and what only a simulator knows, as they are observed `moment` steps into the episode."""
        return self._randomization.seen(self._seed, moment, joints, known)


def _moves(body: Any) -> bool:
    from sapien.physx import PhysxRigidDynamicComponent

    return isinstance(body, PhysxRigidDynamicComponent) and not body.kinematic


def _slippery(material: Any, factor: float) -> Any:
    from sapien.physx import PhysxMaterial

    return PhysxMaterial(material.static_friction * factor, material.dynamic_friction * factor, material.restitution)
