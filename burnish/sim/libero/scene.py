"""One compiled LIBERO task: model, controller, goal. Lanes in one process share it; each has its own `MjData`."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from burnish.errors import BurnishError
from burnish.sim.libero.osc import OperationalSpace
from burnish.sim.libero.quiet import quiet
from burnish.sim.libero.suites import INSTALL, LiberoTask
from burnish.sim.libero.textures import textures

KEPT = 12
"""Scenes a process holds at most: a suite of ten; each takes 0.1 GB, with textures 0.3 GB."""
COLLISION_GROUP = 0
"""LIBERO's group of geoms that only collide."""
FIRST_PLACEMENT = 7
"""Seed of the furniture placement a scene is built with: openpi's."""


class Scene:
    """A task's model, and LIBERO's own goal predicates over any `MjData` of it.

    Without `looks`, physics is the same, but nothing has a texture.
    """

    def __init__(self, task: LiberoTask, looks: bool = False) -> None:
        self.task = task
        self._looks = looks
        self._env = _make(task.bddl, looks)
        self._inner = self._env.env
        self._inner.check_contact = self._in_contact
        self._geoms: dict[str, np.ndarray] = {}
        # LIBERO appends to this list at every reset and draws once per entry: kept, so that a placement depends on
        # its seed alone.
        self._initializers = list(self._inner.object_property_initializers)
        self._reset(FIRST_PLACEMENT)
        self._sim = self._inner.sim
        self.model: mujoco.MjModel = self._sim.model._model
        robot = self._inner.robots[0]
        self.controller = OperationalSpace(robot, self.model)
        self.hand = self.model.body(robot.robot_model.eef_name).id
        self.fingers = np.array(robot._ref_gripper_joint_pos_indexes)
        self.joints = np.array(robot._ref_joint_pos_indexes)
        self.substeps = int(self._inner.control_timestep / self._inner.model_timestep)
        self.init_states = task.load_init_states()
        problem = self._inner.parsed_problem
        self.goals: list[list[str]] = [*problem["goal_state"], *(goal for path in task.also for goal in _goals(path))]
        self.shown = [goal for path in task.shown for goal in _goals(path)] or self.goals
        """Predicates that the environment state describes, `asked` of which make the goal."""
        self.asked = [self.shown.index(goal) for goal in self.goals]
        self.sources: dict[str, str] = {start[1]: start[2] for start in problem["initial_state"] if len(start) == 3}
        """What each object stands on or in at the start: another one, or a region."""
        self._fixtures = np.array([self.model.body(body.root_body).id for body in self._inner.fixtures], int)
        self._placements = {FIRST_PLACEMENT: self._places()}
        self._placed = FIRST_PLACEMENT
        self._reset_state = self._integration_state(self._sim.data._data)

    def begin(self, data: mujoco.MjData, state: int, placement: int) -> None:
        """Put `data` where LIBERO's `set_init_state` puts it after a reset. Raises `BurnishError` for a bad `state`."""
        if state >= len(self.init_states):
            raise BurnishError(f"{self.task.name} has init states 0 … {len(self.init_states) - 1}, not {state}")
        self.place(placement)
        mujoco.mj_setState(self.model, data, self._reset_state, mujoco.mjtState.mjSTATE_INTEGRATION)
        time, positions, speeds = np.split(self.init_states[state], [1, 1 + self.model.nq])
        data.time, data.qpos[:], data.qvel[:] = time[0], positions, speeds
        mujoco.mj_forward(self.model, data)

    def place(self, placement: int) -> None:
        """Move the furniture to where LIBERO's reset puts it with NumPy's global seed `placement`."""
        if placement not in self._placements:
            self._placements[placement] = self._learn(placement)
        if placement != self._placed:
            self.model.body_pos[self._fixtures], self.model.body_quat[self._fixtures] = self._placements[placement]
            self._placed = placement

    def judge(self, data: mujoco.MjData, predicates: list[list[str]]) -> list[bool]:
        """LIBERO's verdict on any `predicates` about this scene's things, e.g. ["open", "microwave_1"], at `data`."""
        with self._looking_at(data):
            return [bool(self._inner._eval_predicate(predicate)) for predicate in predicates]

    def show(self, data: mujoco.MjData) -> None:
        """Let the model's looks follow `data`: a stove that is on glows."""
        with self._looking_at(data):
            self._inner._post_process()

    @property
    def things(self) -> list[str]:
        """Names of the BDDL objects and fixtures."""
        return list(self._inner.obj_body_id)

    def body(self, name: str) -> int | None:
        """Body number of a BDDL object or fixture; None for anything else."""
        return self._inner.obj_body_id.get(name)

    def site(self, name: str) -> int | None:
        """Site number of a BDDL region; None for anything else."""
        return self.model.site(name).id if name in self._inner.object_sites_dict else None

    def joint(self, name: str) -> int | None:
        """Address in qpos of the hinge or slide that opens, closes or turns on `name`; None if it has none."""
        thing = self._inner.object_sites_dict.get(name) or self._inner.fixtures_dict.get(name)
        names = [] if thing is None else [joint for joint in thing.joints or [] if joint]
        free = mujoco.mjtJoint.mjJNT_FREE
        moving = [joint for joint in names if self.model.joint(joint).type[0] != free]
        return int(self.model.joint(moving[0]).qposadr[0]) if moving else None

    def _in_contact(self, one: Any, other: Any) -> bool:
        """Robosuite's `check_contact` of two objects, without a dictionary look-up per contact."""
        pairs = self._sim.data._data.contact.geom
        first, second = self._touching(one)[pairs], self._touching(other)[pairs]
        return bool((first[:, 0] & second[:, 1] | first[:, 1] & second[:, 0]).any())

    def _touching(self, thing: Any) -> np.ndarray:
        """(ngeom,) bool: the geoms of `thing` that count in `check_contact`."""
        if thing.name not in self._geoms:
            mask = np.zeros(self.model.ngeom, bool)
            mask[[self.model.geom(name).id for name in thing.contact_geoms]] = True
            self._geoms[thing.name] = mask
        return self._geoms[thing.name]

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        return self.model.body_pos[self._fixtures].copy(), self.model.body_quat[self._fixtures].copy()

    def _learn(self, placement: int) -> tuple[np.ndarray, np.ndarray]:
        """A hard reset, as LIBERO does it: what it draws depends on all that it builds. The model built is dropped."""
        if not len(self._fixtures):
            return self._places()
        kept, self._inner.sim = self._sim, None
        try:
            self._reset(placement)
            model: mujoco.MjModel = self._inner.sim.model._model  # pyright: ignore
            return model.body_pos[self._fixtures].copy(), model.body_quat[self._fixtures].copy()
        finally:
            self._inner.sim = kept

    def _reset(self, placement: int) -> None:
        # LIBERO draws from NumPy's global generator; nobody else's stream may notice.
        before = np.random.get_state()
        np.random.seed(placement)
        self._inner.object_property_initializers = list(self._initializers)
        try:
            with quiet(), textures(self._looks):
                self._env.reset()
        finally:
            np.random.set_state(before)

    def _integration_state(self, data: mujoco.MjData) -> np.ndarray:
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        state = np.zeros(mujoco.mj_stateSize(self.model, kind))
        mujoco.mj_getState(self.model, data, state, kind)
        return state

    @contextlib.contextmanager
    def _looking_at(self, data: mujoco.MjData) -> Iterator[None]:
        own, self._sim.data._data = self._sim.data._data, data
        try:
            yield
        finally:
            self._sim.data._data = own


def scene(task: LiberoTask, looks: bool = False) -> Scene:
    """The scene of `task`; the last `KEPT` of a process are kept, each built in 0.3 to 3 s."""
    return _kept(task, looks)


@lru_cache(maxsize=KEPT)
def _kept(task: LiberoTask, looks: bool) -> Scene:
    # Called in one way alone: the cache takes a default left out, or named, for another argument.
    # A scene holds itself by cycles: one that fell out of the cache keeps its memory until collected.
    gc.collect()
    return Scene(task, looks)


def _goals(bddl: Path) -> list[list[str]]:
    from libero.libero.envs.bddl_utils import robosuite_parse_problem

    return robosuite_parse_problem(str(bddl))["goal_state"]


def _make(bddl: Path, looks: bool) -> Any:
    try:
        with quiet(), textures(looks):
            from libero.libero.envs.env_wrapper import ControlEnv

            return ControlEnv(bddl_file_name=str(bddl), use_camera_obs=False, has_offscreen_renderer=False)
    except ImportError as error:
        raise BurnishError(f"LIBERO cannot be imported ({error}); {INSTALL}") from error
    except FileNotFoundError as error:
        name = f"{bddl.parent.name}/{bddl.stem}"
        raise BurnishError(f"{name} needs a file that is not installed ({error}); {INSTALL}") from error
