"""Robosuite as a lane: its numbers, bit for bit, by the controller that LIBERO's lanes use. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.sim.lanes import Arrays
from burnish.sim.libero.lane import ROBOT, axis_angle
from burnish.sim.libero.osc import Memory
from burnish.sim.opengl import context
from burnish.sim.robosuite.camera import cameras
from burnish.sim.robosuite.scene import scene
from burnish.sim.robosuite.tasks import size
from burnish.sim.uncertain import Uncertainty


class RobosuiteLane:
    """One environment of `task` ("Lift"); `cameras`: pixels per side of the images that `look` writes."""

    def __init__(self, task: str, cameras: int | None = None, randomize: Mapping[str, float] | None = None) -> None:
        """Raises `OpenGLError` where it cannot see."""
        self._task, self._cameras = task, cameras
        if cameras is not None:
            context()
        self._scene = scene(task, cameras is not None)
        self._data = mujoco.MjData(self._scene.model)
        self._state, self._objects = np.zeros(8), np.zeros(size(task))
        self._uncertain = Uncertainty(randomize, self._scene.model, ROBOT)

    def reset(self, seed: int) -> None:
        """Robosuite's own, in a scene whose models are always the same."""
        self._seed = seed
        self._controller = self._scene.begin(self._data, seed)
        self._places = self._scene.places()
        self._memory, self._grip = self._controller.start.copy(), np.zeros(1)
        self._uncertain.begin(seed)
        self._sense()

    def step(self, action: np.ndarray) -> bool:
        """One control step of 50 ms: (dx, dy, dz, rx, ry, rz, grip), each in [-1, 1]."""
        here, command = self._scene, action.astype(np.float64)
        here.place(self._places)
        with self._uncertain.step(here.model) as late:
            self._move(command, late)
        self._sense()
        return here.solved(self._data)

    def _move(self, command: np.ndarray, late: int) -> None:
        """Physics of one step; the first substeps, as many as the command is `late`, still follow the one before."""
        here, data, controller = self._scene, self._data, self._controller
        for substep in range(here.substeps):
            mujoco.mj_step1(here.model, data)
            reading = controller.read(self._memory, data)
            if substep == late:
                controller.aim(self._memory, reading, command)
                self._grip = command[6:]
            controller.drive(self._memory, data, reading, self._grip)
            mujoco.mj_step2(here.model, data)

    def observe(self, out: Arrays) -> None:
        """Hand and fingers as LIBERO has them, and what robosuite's sensors tell of the objects."""
        out[STATE][:] = self._state
        out[ENVIRONMENT_STATE][:] = self._objects + self._uncertain.seen(len(self._objects))

    def state(self) -> Arrays:
        """The episode's seed, MuJoCo's integration state, the controller's memory and the last reading."""
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        physics = np.zeros(mujoco.mj_stateSize(self._scene.model, kind))
        mujoco.mj_getState(self._scene.model, self._data, physics, kind)
        return {
            "seed": np.array(self._seed, np.uint64),
            "physics": physics,
            "goal_position": self._memory.position.copy(),
            "goal_rotation": self._memory.rotation.copy(),
            "fingers": self._memory.fingers.copy(),
            "fresh": np.array(self._memory.fresh),
            "view": self._view.copy(),
            "proprioception": self._state.copy(),
            "objects": self._objects.copy(),
            "grip": self._grip.copy(),
            **self._uncertain.state(),
        }

    def restore(self, state: Arrays) -> None:
        """Replay the reset, which makes the controller and places things, then put everything back, bit for bit."""
        self.reset(int(state["seed"]))
        model, physics = self._scene.model, np.ascontiguousarray(state["physics"])
        mujoco.mj_setState(model, self._data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_forward(model, self._data)
        memory = (state["goal_position"].copy(), state["goal_rotation"].copy(), state["fingers"].copy())
        self._memory = Memory(*memory, fresh=bool(state["fresh"]))
        self._view = state["view"].copy()
        self._state[:], self._objects[:] = state["proprioception"], state["objects"]
        self._grip = state["grip"].copy()
        self._uncertain.restore(state)

    def pose(self) -> Arrays:
        """The positions of all joints at the last reading, and where what stands still stands."""
        body_pos, body_quat = self._places
        return {"qpos": self._view.copy(), "body_pos": body_pos, "body_quat": body_quat}

    def look(self, out: Arrays, pose: Arrays | None = None) -> None:
        """What the cameras see at the last reading, or at `pose`."""
        assert self._cameras is not None
        cameras(self._task, self._cameras).look(self.pose() if pose is None else pose, out)

    def _sense(self) -> None:
        data = self._data
        self._view = data.qpos.copy()
        self._state[:3] = data.site_xpos[self._controller.site]
        self._state[3:6] = axis_angle(data.xquat[self._scene.hand])
        self._state[6:] = data.qpos[self._scene.fingers]
        self._scene.sense(data, self._objects)
