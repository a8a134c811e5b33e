"""What the scripted experts know of a LIBERO world: where everything is and what is solid, from one lane's pose."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import mujoco
import numpy as np

from burnish.datasets.experts.libero_geometry import Joint, Pose, shell
from burnish.datasets.experts.libero_grid import Grid
from burnish.errors import BurnishError
from burnish.sim.lanes import Arrays
from burnish.sim.libero.scene import Scene

_shells: WeakKeyDictionary[Scene, dict[tuple[int, bool], np.ndarray]] = WeakKeyDictionary()
"""Points of each solid geom, on its surface or filled, kept as long as its scene."""
HELD_GAP_M = 0.001
"""Fingers closer together than this hold nothing."""


class World:
    """One lane's world at its last reading. `read` brings it up to date."""

    def __init__(self, here: Scene) -> None:
        self.here, self.model = here, here.model
        self.data = mujoco.MjData(here.model)
        self.goals = here.goals
        self._roots = here.model.body_rootid
        solid = (self.model.geom_contype | self.model.geom_conaffinity) != 0
        thing = np.isin(self._roots[self.model.geom_bodyid], [self._roots[self._number(name)] for name in here.things])
        self._solid = np.flatnonzero(solid & thing)
        self.shoulder = here.model.body("robot0_base").pos[:2].copy()
        self.floor = self._table(np.flatnonzero(solid & ~thing & (self.model.geom_type == mujoco.mjtGeom.mjGEOM_BOX)))

    def read(self, pose: Arrays) -> None:
        """Take over a lane's `pose`."""
        self.here.place(int(pose["numbers"][1]))
        self.data.qpos[:] = pose["qpos"]
        mujoco.mj_kinematics(self.model, self.data)

    @property
    def hand(self) -> Pose:
        """The grip site: between the finger tips, z forward, x along the direction in which the fingers close."""
        site = self.here.controller.site
        return Pose(self.data.site_xpos[site].copy(), self.data.site_xmat[site].reshape(3, 3).copy())

    @property
    def arm(self) -> tuple[np.ndarray, np.ndarray]:
        """Where shoulder (3,) and wrist (3,) are."""
        return tuple(self.data.xpos[self.model.body(f"robot0_link{i}").id].copy() for i in (2, 6))  # pyright: ignore

    @property
    def gap(self) -> float:
        """Distance of the finger tips, 0 … 0.08 m."""
        left, right = self.data.qpos[self.here.fingers]
        return float(left - right)

    def body(self, name: str) -> Pose:
        """Of an object or a fixture."""
        return self.link(self._number(name))

    def link(self, body: int) -> Pose:
        """Of a body by number."""
        return Pose(self.data.xpos[body].copy(), self.data.xmat[body].reshape(3, 3).copy())

    def spot(self, name: str) -> Pose:
        """Of an object, a fixture or a region."""
        site = self.here.site(name)
        if site is None:
            return self.body(name)
        return Pose(self.data.site_xpos[site].copy(), self.data.site_xmat[site].reshape(3, 3).copy())

    def true(self, predicate: Sequence[str]) -> bool:
        """LIBERO's verdict on a predicate about this world, e.g. ("open", "microwave_1")."""
        mujoco.mj_fwdPosition(self.model, self.data)
        return self.here.judge(self.data, [list(predicate)])[0]

    def door(self, region: str) -> str | None:
        """The drawer or door that closes `region`; None if it is always open."""
        names = (region, *(name for name in self.here.things if region.startswith(f"{name}_")))
        return next((name for name in names if self.here.joint(name) is not None), None)

    def flat(self, name: str) -> bool:
        """Whether the object is too wide and too low to be grasped."""
        *sides, height = np.ptp(self.cloud(name), axis=0)
        return min(sides) > 0.08 and height < 0.025

    def joint(self, name: str) -> Joint:
        """What opens, closes or turns on `name`."""
        address = self.here.joint(name)
        assert address is not None, name
        number = int(np.flatnonzero(self.model.jnt_qposadr == address)[0])
        slides = self.model.jnt_type[number] == mujoco.mjtJoint.mjJNT_SLIDE
        axis, anchor = self.data.xaxis[number].copy(), self.data.xanchor[number].copy()
        low, high = self.model.jnt_range[number]
        value = float(self.data.qpos[address])
        return Joint(int(self.model.jnt_bodyid[number]), bool(slides), axis, anchor, value, float(low), float(high))

    def end(self, predicate: Sequence[str]) -> float:
        """The end of a joint's range at which `predicate`, e.g. ("close", "microwave_1"), is true."""
        joint, address = self.joint(predicate[1]), self.here.joint(predicate[1])
        for end in (joint.low, joint.high):
            self.data.qpos[address] = end
            found = self.here.judge(self.data, [list(predicate)])[0]
            self.data.qpos[address] = joint.value
            if found:
                return end
        raise BurnishError(f"no position of the joint of {predicate[1]} makes it {predicate[0]}")

    def holds(self, name: str) -> bool:
        """Whether both fingers touch the object."""
        mujoco.mj_fwdPosition(self.model, self.data)
        pairs = self.model.geom_bodyid[self.data.contact.geom]
        its = self._roots[pairs] == self._roots[self._number(name)]
        fingers = (self.model.body(f"gripper0_{side}finger").id for side in ("left", "right"))
        # The pads are bodies of their own, on the fingers.
        touched = [np.isin(pairs, [one, *np.flatnonzero(self.model.body_parentid == one)]) for one in fingers]
        return self.gap > HELD_GAP_M and all(bool((mine & its[:, ::-1]).any()) for mine in touched)

    def cloud(self, name: str) -> np.ndarray:
        """(P, 3) points in the world of the solid parts of an object or fixture, moving parts included."""
        root = self._roots[self._number(name)]
        return self._points(self._solid[self._roots[self.model.geom_bodyid[self._solid]] == root])

    def part(self, body: int) -> np.ndarray:
        """(P, 3) points in the world of one body of a fixture, e.g. a drawer."""
        return self._points(self._solid[self.model.geom_bodyid[self._solid] == body])

    def grid(self, without: str | None = None, *, filled: bool = False) -> Grid:
        """Everything solid but the robot, and but the object `without`; its surfaces, or `filled`."""
        roots = self._roots[self.model.geom_bodyid[self._solid]]
        kept = self._solid if without is None else self._solid[roots != self._roots[self._number(without)]]
        return Grid(self._points(kept, filled=filled), self.floor)

    def _number(self, name: str) -> int:
        body = self.here.body(name)
        assert body is not None, name
        return body

    def _table(self, geoms: np.ndarray) -> float:
        """Height of the table over the middle of the workspace, or of the floor if there is none."""
        mujoco.mj_kinematics(self.model, self.data)
        points = np.concatenate([np.zeros((1, 3)), self._points(geoms)])
        return float(points[np.abs(points[:, :2]).max(axis=1) < 0.3, 2].max())

    def _place(self, points: np.ndarray, geom: int) -> np.ndarray:
        return points @ self.data.geom_xmat[geom].reshape(3, 3).T + self.data.geom_xpos[geom]

    def _points(self, geoms: np.ndarray, *, filled: bool = False) -> np.ndarray:
        known = _shells.setdefault(self.here, {})
        for geom in map(int, geoms):
            if (geom, filled) not in known:
                known[geom, filled] = shell(self.model, geom, filled=filled)
        parts = [self._place(known[int(geom), filled], int(geom)) for geom in geoms]
        return np.concatenate([np.zeros((0, 3)), *parts])
