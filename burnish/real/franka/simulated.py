"""`burnish sim-robot franka`: an FR3 with its hand on MuJoCo, reached over the Franka Control Interface."""

from __future__ import annotations

import logging
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from franky_sim.mujoco_simulator import MujocoSimulator

from burnish.fr3 import DOWN
from burnish.real.base import RobotError
from burnish.real.franka.server import Arm, Interface
from burnish.real.franka.tracked import load_task
from burnish.real.simulated import SimulatedRobot
from burnish.sim.franka.model import set_fixture

PERIOD_S = 1e-3
BEHIND_S = 0.05
"""A simulator further behind does not try to catch up: the robot's clock is its own."""
STILL = 1e-3
"""rad/s; a set point slower than this stands."""


@dataclass(frozen=True)
class SimulatedFrankaConfig:
    """A simulated Franka Research 3."""

    address: str = "127.0.0.1"
    """Where it listens; ports are the real robot's, so each robot on a machine needs an address of its own (127.x)."""
    cube: tuple[float, float, float] | None = None
    """Where a cube of 4 cm lies, m, base frame; None: an empty table."""
    task: str = ""
    """A task of the Franka world, "lift" or "franka/lift", whose things lie on the table; a tracker sees them."""
    patience_s: float = 0.05
    """For how long its clock waits for a command that is late, s: a computer without a real-time kernel needs that now
    and then. 0: its clock goes on, as the real robot's."""
    wall: float | None = None
    """A wall at this x, m, to run into."""


class SimulatedFranka(SimulatedRobot):
    """Steps physics and protocol once a millisecond."""

    Config = SimulatedFrankaConfig
    faults = ("reflex", "user_stop", "release", "lose", "silent", "gripper_stuck", "push")

    def __init__(self, config: SimulatedFrankaConfig) -> None:
        logging.getLogger("franky_sim").setLevel(logging.ERROR)
        self._task = load_task(f"franka/{config.task.removeprefix('franka/')}") if config.task else None
        self._config, self._world = config, MujocoSimulator()
        self._world.init()
        self._world.add_robot(initial_q=DOWN, initial_hand_width=0.08)
        self._arm = Arm(initial_q=DOWN, initial_hand_width=0.08)
        self._world._robots[0] = self._arm  # pyright: ignore[reportPrivateUsage]
        self._furnish()
        self._interface = Interface(self._arm, [config.address], config.patience_s)
        try:
            self._interface.init()
        except OSError as error:
            raise RobotError(
                f"nothing can listen at {config.address}: another simulated robot is there, or it is no address of "
                "this computer; give each one of its own, e.g. --address 127.0.0.2"
            ) from error
        self._world.start()
        model = self._world.model
        assert model is not None
        self._model = model
        model.dof_frictionloss[:] = 0  # of which contact could not be told apart
        self._due, self._still, self._top = time.perf_counter(), 0, np.zeros(7)

    @property
    def address(self) -> str:
        """Its host name."""
        return self._config.address

    def step(self) -> None:
        """One millisecond."""
        self._interface.process_commands()
        self._world.step()
        self._interface.send_state()
        self._still = self._still + 1 if np.abs(self._arm.dq_d).max() < STILL else 0
        data = self._world.data
        assert data is not None
        np.maximum(self._top, np.abs(data.qvel[:7]), out=self._top)
        self._due = max(self._due + PERIOD_S, time.perf_counter() - BEHIND_S)
        time.sleep(max(0.0, self._due - time.perf_counter()))

    def report(self) -> dict[str, Any]:
        """See `SimulatedRobot.report`."""
        watch, seen = self._interface.watch, self._interface.counts
        data, model = self._world.data, self._world.model
        assert data is not None and model is not None
        state = self._interface.robot_state
        return {
            "cycles": seen["cycles"],
            "lost": seen["lost"],
            "violations": dict(watch.violations),
            "most": {part: value.round(4).tolist() for part, value in watch.most.items()},
            "fastest_joint": float(self._top.max()),
            "error": self._interface.error,
            "mode": state.robot_mode.name,
            "joints": [round(float(value), 5) for value in state.q],
            "tool": np.round(np.array(state.O_T_EE)[12:15], 4).tolist(),
            "gripper_width": round(self._arm.hand_width, 4),
            "still_s": self._still * PERIOD_S,
            "time_s": self._arm.ticks * PERIOD_S,
            "poses": {
                model.body(body).name: [*data.xpos[body].round(6).tolist(), *data.xquat[body].round(6).tolist()]
                for body in range(model.nbody)
                if model.body_dofnum[body] == 6
            },
            "objects": {
                model.body(body).name: data.xpos[body].round(4).tolist()
                for body in range(model.nbody)
                if model.body_dofnum[body] == 6
            },
        }

    def hurt(self, fault: str, settings: dict[str, Any]) -> None:
        """reflex: it stops by itself; user_stop and release: the emergency stop; lose: `share` of all packets; silent:
        no packet any more; gripper_stuck: the fingers stay where they are; push: at the tool with `force` (x, y, z, N,
        base frame), until another one."""
        if fault == "reflex":
            self._interface.stop_by("joint_reflex")
        elif fault == "user_stop":
            self._interface.stop_by("")
            self._interface.user_stop = True
        elif fault == "release":
            self._interface.user_stop = False
        elif fault == "lose":
            self._interface.lost = float(settings["share"])
        elif fault == "silent":
            self._interface.silent = bool(settings.get("on", True))
        elif fault == "push":
            self._arm.push = np.array(settings["force"], float).reshape(3)
        else:
            self._arm.stuck = bool(settings.get("on", True))

    def place(self, settings: dict[str, Any]) -> None:
        """`joints` (7, rad; default: the pose it starts in), `width` (m, of the gripper), `cube` (x, y, z, m), `object`
        (position and quaternion of the task's) and `target` (as the task draws it)."""
        if self._interface.current_motion_id:
            raise RobotError("it is commanded; end that motion first")
        joints = np.array(settings.get("joints", DOWN), float)
        self._arm.place(joints)
        self._interface.hold_here()
        if "width" in settings:
            self._arm.open(float(settings["width"]))
        if "object" in settings:
            self._put("object", settings["object"])
        if self._task is not None and "target" in settings:
            set_fixture(self._model, self._task, np.array(settings["target"]))
        if "cube" in settings:
            self._put("cube_joint", [*settings["cube"], 1, 0, 0, 0])

    def _put(self, joint: str, pose: Sequence[float]) -> None:
        """What `joint` leaves free stands there, at rest."""
        data = self._world.data
        assert data is not None
        data.joint(joint).qpos[:], data.joint(joint).qvel[:] = pose, 0

    def close(self) -> None:
        """Let go of the ports."""
        self._interface.cleanup()
        self._world.cleanup()

    def _furnish(self) -> None:
        if self._config.cube is not None:
            place = " ".join(map(str, self._config.cube))
            cube = ET.SubElement(self._world.worldbody, "body", name="cube", pos=place)
            ET.SubElement(cube, "freejoint", name="cube_joint")
            ET.SubElement(
                cube, "geom", type="box", size="0.02 0.02 0.02", mass="0.05", friction="1.5 0.05 0.001", condim="4"
            )
        if self._task is not None:
            for part in ET.fromstring(f"<world>{self._task.xml}</world>"):
                if part.find("geom[@contype='0']") is None:
                    self._world.worldbody.append(part)
        if self._config.wall is not None:
            wall = ET.SubElement(self._world.worldbody, "body", name="wall", pos=f"{self._config.wall} 0 0.5")
            ET.SubElement(wall, "geom", type="box", size="0.02 1 0.5")
