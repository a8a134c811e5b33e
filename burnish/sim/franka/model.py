"""MuJoCo models of the arm and what a task puts around it: one to simulate, one to look at.

The arm is franky-sim's, as the simulated robot's. Its impedance controller is that robot's too: a spring and a damper
towards a moving set point, gravity and joint damping compensated, torques limited. Both are linear in the set point, so
one actuator with an affine bias is the whole controller, and a trajectory of `ctrl` the whole motion.

What costs time is left out where it changes nothing: gravity, of which the arm feels none, is an actuator that pulls
the object down; what couples the fingers is a spring, not a constraint; the arm is free of constraints unless it
touches something.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from burnish.errors import BurnishError
from burnish.fr3 import ARM_LIMITS
from burnish.sim.franka.task import Task

if TYPE_CHECKING:
    import mujoco

TIMESTEP_S = 0.002
STIFFNESS = np.array([3000.0, 3000.0, 3000.0, 2500.0, 2500.0, 2000.0, 2000.0])
"""N·m/rad, libfranka's default and the simulated robot's."""
DAMPING = 0.05 * STIFFNESS
"""N·m·s/rad."""
GRIP_N, GRIP_SPEED = 20.0, 0.05
"""Of one finger, N and m/s: what the simulated robot's fingers press a cube of 4 cm with, and how fast they move."""
GRIP_STIFFNESS = 10_000.0
"""N/m: the finger pushes with all of `GRIP_N` from 2 mm before its goal on."""
JOINTS = tuple(f"fr3_joint{number}" for number in range(1, 8))
COUPLING = 2 * GRIP_STIFFNESS
"""N/m between the fingers, which a gear couples."""
GRAVITY = 9.81
FINGERS = ("finger_joint1", "finger_joint2")
ARM, FINGER = slice(0, 7), slice(7, 9)
"""In `qpos`, `qvel` and `ctrl` of every model here."""
WEIGHT = 9
"""In `ctrl`, where there is an object: what it is there does not matter."""
BOXES = {
    "hand": ("0.02 0.1 0.033", "0 0 0.033"),
    "left_finger": ("0.0085 0.004 0.0085", "0 0.004 0.0445"),
    "right_finger": ("0.0085 0.004 0.0085", "0 0.004 0.0445"),
}
"""Half sizes and places, m: all of the robot that touches anything. The fingers' are pads, which meet at width 0."""
STIFF = "0.005 1"
"""Contact's time constant, s, and damping: with MuJoCo's own 0.02 s the pads sink 4 mm into what they hold."""


@cache
def physics_model(task: Task) -> mujoco.MjModel:
    """What is simulated: no meshes, and a box each for the hand and its fingers. Do not change it: it is shared."""
    model = _compile(_scene(task, visual=False))
    if task.has_object:
        model.actuator_biasprm[WEIGHT, 0] = GRAVITY * model.body("object").mass[0]
    return model


@cache
def visual_model(task: Task) -> mujoco.MjModel:
    """What is drawn: same joints, the manufacturer's meshes."""
    return _compile(_scene(task, visual=True))


def set_fixture(model: mujoco.MjModel, task: Task, target: np.ndarray) -> None:
    """Let the task's fixture stand where its `target` says."""
    if has_fixture(model, task):
        body = model.body(task.fixture)
        body.pos[:] = target[:3]
        if len(target) == 7:
            body.quat[:] = target[3:]


def has_fixture(model: mujoco.MjModel, task: Task) -> bool:
    """Whether there is one in this `model` of the `task`: what touches nothing is not simulated."""
    return bool(task.fixture) and any(model.body(number).name == task.fixture for number in range(model.nbody))


def _scene(task: Task, *, visual: bool) -> ET.Element:
    assets = _assets()
    root = ET.parse(assets / "fr3.xml").getroot()
    _child(root, "compiler").set("meshdir", str(assets / "meshes"))
    for name in ("tendon", "equality", "keyframe", "contact", "actuator"):
        root.remove(_child(root, name))
    option = _child(root, "option")
    option.attrib.update(timestep=str(TIMESTEP_S), gravity="0 0 0", solver="CG", iterations="20", ls_iterations="10",
                         tolerance="1e-6")  # fmt: skip
    if not visual:  # MuJoCo-Warp, which draws, knows neither flag
        ET.SubElement(option, "flag", autoreset="disable", island="disable")
    joint = _child(root, "default/default/joint")
    joint.attrib.update(damping="0", frictionloss="0")
    unwanted = ("collision", "fingertip") if visual else ("collision", "fingertip", "visual")
    for body in root.iter("body"):
        for geom in [geom for geom in body.findall("geom") if geom.get("class", "").startswith(unwanted)]:
            body.remove(geom)
    if not visual:
        root.remove(_child(root, "asset"))
    for body in root.iter("body"):
        for joint in body.findall("joint"):
            _adjust(joint)
        name = body.get("name", "")
        if name in BOXES:
            size, place = BOXES[name]
            ET.SubElement(body, "geom", name=name, type="box", size=size, pos=place, mass="0", contype="2",
                          conaffinity="1", friction="1 0.005 0.0001", solref=STIFF,
                          rgba="0 0 0 0" if visual else "0.5 0.5 0.5 1")  # fmt: skip
    _furnish(_child(root, "worldbody"), task, visual=visual)
    coupling = ET.SubElement(ET.SubElement(root, "tendon"), "fixed", name="gear", springlength="0")
    coupling.set("stiffness", str(COUPLING))
    for joint, sign in zip(FINGERS, ("1", "-1"), strict=True):
        ET.SubElement(coupling, "joint", joint=joint, coef=sign)
    _drive(ET.SubElement(root, "actuator"), task)
    return root


def _furnish(world: ET.Element, task: Task, *, visual: bool) -> None:
    """The table, which is the floor as it is the robot's, cameras for MuJoCo-Warp to move, and the task's things."""
    ET.SubElement(world, "geom", name="table", type="plane", size="2 2 0.1", rgba="0.55 0.6 0.66 1",
                  contype="1", conaffinity="2")  # fmt: skip
    for name in ("front", "wrist"):
        ET.SubElement(world, "camera", name=name, pos="1.4 0 0.9")
    for part in ET.fromstring(f"<world>{task.xml}</world>"):
        if visual or part.find("geom[@contype='0']") is None:  # what touches nothing is there to be seen
            world.append(part)


def _drive(actuator: ET.Element, task: Task) -> None:
    """`ctrl`, N·m, is stiffness · set point + damping · its velocity; for fingers, m, where they should go."""
    for joint, kp, kv, most in zip(JOINTS, STIFFNESS, DAMPING, ARM_LIMITS.torque, strict=True):
        ET.SubElement(actuator, "general", name=joint, joint=joint, gainprm="1", biastype="affine",
                      biasprm=f"0 {-kp} {-kv}", forcerange=f"{-most} {most}")  # fmt: skip
    for joint in FINGERS:
        ET.SubElement(actuator, "general", name=joint, joint=joint, gainprm=f"{GRIP_STIFFNESS}", biastype="affine",
                      biasprm=f"0 {-GRIP_STIFFNESS} 0", forcerange=f"{-GRIP_N} {GRIP_N}")  # fmt: skip
    if task.has_object:
        ET.SubElement(actuator, "general", name="weight", joint="object", gear="0 0 -1 0 0 0", gainprm="0",
                      biastype="affine")  # fmt: skip


def _adjust(joint: ET.Element) -> None:
    """No friction, as in the simulated robot; the arm's damping is compensated, the fingers' sets their speed."""
    joint.attrib.pop("frictionloss", None)
    if joint.get("name") in FINGERS:
        joint.set("damping", str(GRIP_N / GRIP_SPEED))
    else:
        joint.set("damping", "0")


def _child(parent: ET.Element, path: str) -> ET.Element:
    found = parent.find(path)
    if found is None:
        raise BurnishError(f"franky-sim's fr3.xml has no <{path}>; install franky-sim==1.0.4")
    return found


def _compile(scene: ET.Element) -> mujoco.MjModel:
    import mujoco

    return mujoco.MjModel.from_xml_string(ET.tostring(scene, encoding="unicode"))


def _assets() -> Path:
    try:
        import franky_sim
        import mujoco  # noqa: F401
    except ImportError as error:
        raise BurnishError(
            f"the Franka world cannot be loaded: {error}; install 'burnish[franka-world]' (franky-sim and mujoco)"
        ) from error
    return Path(franky_sim.__file__).parent / "assets"
