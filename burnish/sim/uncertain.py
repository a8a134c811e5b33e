"""What is uncertain in a lane whose world is a MuJoCo model, which other lanes of the process may share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import mujoco
import numpy as np

from burnish.sim.lanes import Arrays
from burnish.sim.randomize import Draw, Randomization, noise

DRAWN = ("mass", "friction", "latency_s", "object_noise")
"""Of `Randomization`, what a lane with an `Uncertainty` draws."""


class Uncertainty:
    """Of one lane; none without `settings`."""

    def __init__(self, settings: Mapping[str, float] | None, model: mujoco.MjModel, robot: str) -> None:
        """`robot`: one of its bodies; what else has joints are the objects."""
        self._some = bool(settings)
        self._randomization, self._tick_s = Randomization.of(settings or {}), float(model.opt.timestep)
        root = model.body_rootid
        moving = {int(root[body]) for body in model.jnt_bodyid} - {int(root[model.body(robot).id])}
        self._bodies = np.flatnonzero(np.isin(root, [*moving]))
        self._geoms = np.flatnonzero(np.isin(model.geom_bodyid, self._bodies))
        self._late, self._seed, self._moment = 0, 0, 0

    def begin(self, seed: int) -> None:
        """The episode of `seed`."""
        if not self._some:
            return
        self._draw, self._seed, self._moment = Draw(self._randomization, seed), seed, 0
        self._late = round(self._draw.latency_s / self._tick_s)

    @contextmanager
    def step(self, model: mujoco.MjModel) -> Iterator[int]:
        """Inside, the objects are as heavy and as slippery as they are in this episode; afterwards as ever. Gives the
        ticks by which its actions come into effect late."""
        if not self._some:
            yield 0
            return
        mass, inertia = model.body_mass[self._bodies], model.body_inertia[self._bodies]
        friction = model.geom_friction[self._geoms]
        model.body_mass[self._bodies], model.body_inertia[self._bodies] = (
            mass * self._draw.mass,
            inertia * self._draw.mass,
        )
        model.geom_friction[self._geoms] = friction * self._draw.friction
        try:
            yield self._late
        finally:
            model.body_mass[self._bodies], model.body_inertia[self._bodies] = mass, inertia
            model.geom_friction[self._geoms] = friction
        self._moment += 1

    def seen(self, size: int, before: int = 0) -> np.ndarray:
        """(size,) by which what only a simulator knows is seen wrong, now or so many steps `before`."""
        if not self._some:
            return np.zeros(size)
        drawn = noise(self._seed, max(self._moment - before, 0)).standard_normal(size)
        return self._randomization.object_noise * drawn

    def state(self) -> Arrays:
        """What `restore` needs."""
        if not self._some:
            return {}
        return {"drawn": np.array(self._seed, np.uint64), "moment": np.array(self._moment)}

    def restore(self, state: Arrays) -> None:
        """Go on from there."""
        if self._some:
            self.begin(int(state["drawn"]))
            self._moment = int(state["moment"])
