"""LIBERO as a lane: every number robosuite would give, from a third of its arithmetic, and no frame nobody reads.

Imports no torch, so that worker processes start fast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import mujoco
import numpy as np

from burnish.contract import ENVIRONMENT_STATE, STATE, TASK, encode_text
from burnish.sim.lanes import Arrays
from burnish.sim.libero.camera import cameras
from burnish.sim.libero.osc import Memory
from burnish.sim.libero.scene import Scene, scene
from burnish.sim.libero.starts import SETTLE_STEPS, start_of
from burnish.sim.libero.suites import LiberoTask, select
from burnish.sim.opengl import context
from burnish.sim.uncertain import Uncertainty

GOALS = 3
"""Goal predicates described in the environment state, at least; the standard suites have at most that many."""
GOAL_NUMBERS = 20
INSTRUCTION_BYTES = 128
ROBOT = "robot0_base"
"""Robosuite's name of the arm's first body."""
_NOTHING = np.array([0, 0, 0, 0, 0, 0, -1.0])
READING_STEP = 23
"""In which of the 25 steps of 2 ms robosuite reads its sensors: summing floats, it is two late from the reset on."""


class LiberoLane:
    """One episode at a time of any of the tasks that `name` selects ("object", "object/3"); see `starts` for seeds."""

    def __init__(
        self,
        name: str,
        cameras: int | None = None,
        settle_steps: int = SETTLE_STEPS,
        randomize: Mapping[str, float] | None = None,
    ) -> None:
        """`cameras`: pixels per side of the images that `look` writes. Raises `OpenGLError` where it cannot."""
        self._tasks, self._cameras, self._settle_steps = select(name), cameras, settle_steps
        self._randomize = randomize
        if cameras is not None:
            context()
        self._enter(self._tasks[0])

    def reset(self, seed: int) -> None:
        """The start that `seed` stands for, after the steps of settling."""
        start = start_of(seed, len(self._tasks))
        self._enter(self._tasks[start.task])
        self._placement = start.placement
        self._scene.begin(self._data, start.state, start.placement)
        self._memory, self._grip = self._scene.controller.start.copy(), np.zeros(1)
        self._uncertain.begin(seed)
        for _ in range(self._settle_steps):
            self._advance(_NOTHING)
        self._done = self._scene.judge(self._data, self._scene.shown)

    def step(self, action: np.ndarray) -> bool:
        """Apply (dx, dy, dz, rx, ry, rz, grip), each in [-1, 1]; see `libero.env.CONTRACT` for units."""
        command = action.astype(np.float64)
        with self._uncertain.step(self._scene.model) as late:
            self._advance(command, late)
        self._done = self._scene.judge(self._data, self._scene.shown)
        return all(self._done[i] for i in self._scene.asked)

    def observe(self, out: Arrays) -> None:
        """Proprioception as in the public LIBERO datasets, the goal's objects, and the instruction."""
        out[STATE][:] = self._state
        self._goals[: len(self._done), -1] = self._done[: len(self._goals)]
        out[ENVIRONMENT_STATE][:] = self._goals.ravel()
        seen = out[ENVIRONMENT_STATE].reshape(self._goals.shape)[: len(self._done), :-1]  # what is done is certain
        seen += self._uncertain.seen(seen.size).reshape(seen.shape)
        out[TASK][:] = self._instruction

    def state(self) -> Arrays:
        """MuJoCo's integration state, the controller's memory and the last reading."""
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        physics = np.zeros(mujoco.mj_stateSize(self._scene.model, kind))
        mujoco.mj_getState(self._scene.model, self._data, physics, kind)
        return {
            "physics": physics,
            "goal_position": self._memory.position.copy(),
            "goal_rotation": self._memory.rotation.copy(),
            "fingers": self._memory.fingers.copy(),
            "view": self._view.copy(),
            "before": self._before.copy(),
            "proprioception": self._state.copy(),
            "goals": self._goals.copy(),
            "done": np.array(self._done),
            "numbers": np.array([self._task, self._placement]),
            "grip": self._grip.copy(),
            **self._uncertain.state(),
        }

    def restore(self, state: Arrays) -> None:
        """Everything back, bit for bit."""
        task, self._placement = (int(number) for number in state["numbers"])
        self._enter(self._tasks[task])
        model = self._scene.model
        self._scene.place(self._placement)
        physics = np.ascontiguousarray(state["physics"])
        mujoco.mj_setState(model, self._data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_forward(model, self._data)
        self._memory = Memory(state["goal_position"], state["goal_rotation"], state["fingers"], fresh=False)
        self._view, self._before = state["view"], state["before"]
        self._state, self._goals = state["proprioception"], state["goals"]
        self._done = [bool(one) for one in state["done"]]
        self._grip = state["grip"].copy()
        self._uncertain.restore(state)

    def pose(self) -> Arrays:
        """Which task, where its furniture stands, the positions of all joints at the last reading, and those `before`
        the step, by which LIBERO decides whether a stove glows.
        """
        numbers = np.array([self._task, self._placement])
        return {"numbers": numbers, "qpos": self._view.copy(), "before": self._before.copy()}

    def look(self, out: Arrays, pose: Arrays | None = None) -> None:
        """What LIBERO's cameras see at the last reading, or at `pose`: images, and places where `out` has them."""
        pose = self.pose() if pose is None else pose
        assert self._cameras is not None
        cameras(self._tasks[int(pose["numbers"][0])], self._cameras).look(pose, out)

    def _enter(self, task: LiberoTask) -> None:
        self._task = self._tasks.index(task)
        found = scene(task, looks=self._cameras is not None)
        if getattr(self, "_scene", None) is not found:
            self._scene: Scene = found
            self._data = mujoco.MjData(found.model)
            self._slots = Slots(found)
            self._uncertain = Uncertainty(self._randomize, found.model, ROBOT)
            self._instruction = encode_text(task.language, INSTRUCTION_BYTES)
            self._goals = np.zeros((described(task), GOAL_NUMBERS))
            self._state = np.zeros(8)
            self._view, self._before = np.zeros(found.model.nq), np.zeros(found.model.nq)

    def _advance(self, action: np.ndarray, late: int = 0) -> None:
        """One control step of 50 ms: 25 steps of 2 ms; robosuite reads its sensors in one of them. The first, as many
        as the action is `late`, still follow the one before."""
        here, data = self._scene, self._data
        model, controller = here.model, here.controller
        here.place(self._placement)
        self._before = data.qpos.copy()
        for substep in range(here.substeps):
            mujoco.mj_step1(model, data)
            reading = controller.read(self._memory, data)
            if substep == late:
                controller.aim(self._memory, reading, action)
                self._grip = action[6:]
            controller.drive(self._memory, data, reading, self._grip)
            if substep == READING_STEP:
                self._view = data.qpos.copy()
            mujoco.mj_step2(model, data)
            if substep == READING_STEP:
                self._sense(data)

    def _sense(self, data: mujoco.MjData) -> None:
        # Poses are those before the 2 ms step, the fingers' those after it: as robosuite has them.
        self._state[:3] = data.site_xpos[self._scene.controller.site]
        self._state[3:6] = axis_angle(data.xquat[self._scene.hand])
        self._state[6:] = data.qpos[self._scene.fingers]
        self._slots.read(data, self._goals)


def described(task: LiberoTask) -> int:
    """Goal predicates that the environment state has room for."""
    return max(GOALS, len(task.shown))


class Slots:
    """Goal predicates as numbers: where the object is; how far from hand, target and what it stood on or in at the
    start (a drawer has walls); how open a joint; done or not."""

    def __init__(self, here: Scene) -> None:
        self._hand = here.controller.site
        self._parts = [
            (
                _place(here, goal[1]),
                _place(here, goal[-1]),
                _place(here, here.sources.get(goal[1], goal[1])),
                here.joint(goal[-1]),
            )
            for goal in here.shown[: described(here.task)]
        ]

    def read(self, data: mujoco.MjData, rows: np.ndarray) -> None:
        """Write the poses in `data` into `rows` (goals, GOAL_NUMBERS); whether they are done is not among them."""
        hand = data.site_xpos[self._hand]
        for row, (subject, target, source, joint) in zip(rows, self._parts, strict=False):
            row[:3], rotation = _pose(data, subject)
            row[3:9] = rotation.reshape(3, 3)[:, :2].T.ravel()
            row[9:12] = row[:3] - hand
            row[12:15] = _pose(data, target)[0] - row[:3]
            row[15:18] = _pose(data, source)[0] - row[:3]
            row[18] = 0.0 if joint is None else data.qpos[joint]


def _place(here: Scene, name: str) -> tuple[int | None, int | None]:
    return here.body(name), here.site(name)


def _pose(data: mujoco.MjData, place: tuple[int | None, int | None]) -> tuple[np.ndarray, np.ndarray]:
    body, site = place
    return (data.xpos[body], data.xmat[body]) if site is None else (data.site_xpos[site], data.site_xmat[site])


def axis_angle(quaternion: np.ndarray) -> np.ndarray:
    """Rotation vector (3,), rad, of a unit quaternion (w, x, y, z); angles up to 2π, as robosuite has them."""
    w = min(max(float(quaternion[0]), -1.0), 1.0)
    length = math.sqrt(1.0 - w * w)
    return quaternion[1:] * (2.0 * math.acos(w) / length) if length > 0 else np.zeros(3)
