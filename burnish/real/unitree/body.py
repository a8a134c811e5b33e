"""The simulated robots' bodies: MuJoCo models on a floor, moved by torques at their joints.

A G1 hangs in a strap, for nothing but a policy balances it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from burnish.real.unitree.senses import gravity, tilt
from burnish.sim.unitree.model import SOURCES, TIMESTEP_S, body_model, joint_names
from burnish.unitree import Model

SETTLE_S = 0.5
STRAP_N_M, STRAP_NS_M = 3000.0, 300.0


class Body:
    """One robot. All vectors over joints are in the order of `model.joints`."""

    def __init__(self, model: Model, pose: tuple[float, ...]) -> None:
        """At rest in `pose` (rad), settled on the floor. Raises `BurnishError` without `burnish[sim-robots]`."""
        import mujoco

        self._mujoco, source = mujoco, SOURCES[model.name]
        self._model, self.physics = model, body_model(model)
        self.data: Any = mujoco.MjData(self.physics)
        names = joint_names(model)
        self._q = np.array([self.physics.joint(name).qposadr[0] for name in names])
        self._v = np.array([self.physics.joint(name).dofadr[0] for name in names])
        self._limit = np.array(model.limits.torque)
        self._strap = self.physics.body(source.strap).id if source.strap else None
        self._anchor = self._place(np.array(model.path[-1])) if self._strap is not None else np.zeros(3)
        self._pose = np.array(pose)
        self.rest()

    def rest(self) -> None:
        """As it was at first."""
        self._place(self._pose)
        kp, kd = np.array(self._model.standing.kp), np.array(self._model.standing.kd)
        for _ in range(round(SETTLE_S / TIMESTEP_S)):
            self.step(kp * (self._pose - self.q) - kd * self.dq)

    @property
    def q(self) -> np.ndarray:
        """(A,) rad."""
        return self.data.qpos[self._q]

    @property
    def dq(self) -> np.ndarray:
        """(A,) rad/s."""
        return self.data.qvel[self._v]

    @property
    def quaternion(self) -> np.ndarray:
        """(4,) w, x, y, z of the body in the world."""
        return self.data.qpos[3:7]

    @property
    def gyroscope(self) -> np.ndarray:
        """(3,) rad/s, body frame."""
        return self.data.qvel[3:6]

    @property
    def place(self) -> np.ndarray:
        """(2,) on the floor, m."""
        return self.data.qpos[:2]

    @property
    def heading(self) -> float:
        """rad to the left of how it began."""
        w, x, y, z = self.quaternion
        return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))

    @property
    def height(self) -> float:
        """Of the body above the floor, m."""
        return float(self.data.qpos[2])

    @property
    def tilt(self) -> float:
        """rad from upright."""
        return tilt(gravity(self.quaternion))

    def step(self, torque: np.ndarray) -> np.ndarray:
        """`TIMESTEP_S` on with `torque` (A,) N·m at the joints; what of it the motors can give (A,)."""
        given = np.clip(torque, -self._limit, self._limit)
        self.data.qfrc_applied[self._v] = given
        if self._strap is not None:
            pull = STRAP_N_M * (self._anchor - self.data.xipos[self._strap]) - STRAP_NS_M * self.data.qvel[:3]
            self.data.xfrc_applied[self._strap, :3] = pull * (pull[2] > 0)
        self._mujoco.mj_step(self.physics, self.data)
        return given

    def push(self, speed: float) -> None:
        """To its left, m/s, rolling as if hit at the top."""
        self.data.qvel[1] += speed
        self.data.qvel[3] -= 4 * speed

    @property
    def strapped(self) -> bool:
        """Whether a strap holds it."""
        return self._strap is not None

    def unstrap(self) -> None:
        """Let it stand alone."""
        self.data.xfrc_applied[:] = 0.0  # what the strap pulled last would go on
        self._strap = None

    def _place(self, pose: np.ndarray) -> np.ndarray:
        """Put it just above the floor in `pose`; where the strap holds it then (3,)."""
        self._mujoco.mj_resetData(self.physics, self.data)
        self.data.qpos[self._q] = pose
        self._mujoco.mj_forward(self.physics, self.data)
        feet = self.physics.geom_type == self._mujoco.mjtGeom.mjGEOM_SPHERE
        lowest = (self.data.geom_xpos[feet, 2] - self.physics.geom_size[feet, 0]).min()
        self.data.qpos[2] -= lowest
        self._mujoco.mj_forward(self.physics, self.data)
        return self.data.xipos[self._strap or 0].copy()
