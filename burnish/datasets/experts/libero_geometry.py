"""Poses, joints, and solids as points on their surfaces."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

SPACING_M = 0.004
"""Between the points that stand for a solid; less than a cell of the grid, so that surfaces have no holes."""
THIN_M = 0.003


class Pose(NamedTuple):
    """`position` (3,), m, and `rotation` (3, 3), both in the world unless said otherwise."""

    position: np.ndarray
    rotation: np.ndarray

    def __matmul__(self, other: Pose) -> Pose:
        return Pose(self.position + self.rotation @ other.position, self.rotation @ other.rotation)

    def inverse(self) -> Pose:
        """The pose of this frame's parent in this frame."""
        return Pose(-self.rotation.T @ self.position, self.rotation.T)

    def points(self, points: np.ndarray) -> np.ndarray:
        """(P, 3) points of this frame in its parent."""
        return points @ self.rotation.T + self.position


class Joint(NamedTuple):
    """A hinge or slide that moves `body`: its axis and a point on it in the world, value and range, rad or m."""

    body: int
    slides: bool
    axis: np.ndarray
    anchor: np.ndarray
    value: float
    low: float
    high: float

    def carry(self, pose: Pose, change: float) -> Pose:
        """Where something at `pose` that moves along is after a `change` of the joint."""
        if self.slides:
            return Pose(pose.position + change * self.axis, pose.rotation)
        turn = Rotation.from_rotvec(change * self.axis).as_matrix()
        return Pose(self.anchor + turn @ (pose.position - self.anchor), turn @ pose.rotation)


def shell(model: mujoco.MjModel, geom: int, *, filled: bool = False) -> np.ndarray:
    """(P, 3) points on the surface of a geom, in its frame, and `filled` all through it, unless it is a mesh. Capsules
    and the like count as the box around them."""
    kind, size = model.geom_type[geom], model.geom_size[geom]
    kinds = mujoco.mjtGeom
    if kind == kinds.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        first = model.mesh_vertadr[mesh]
        return model.mesh_vert[first : first + model.mesh_vertnum[mesh]].astype(float)
    if kind == kinds.mjGEOM_SPHERE:
        size = np.full(3, size[0])
    elif kind == kinds.mjGEOM_CAPSULE:
        size = np.array([size[0], size[0], size[0] + size[1]])
    elif kind == kinds.mjGEOM_CYLINDER:
        size = np.array([size[0], size[0], size[1]])
    return np.stack(np.meshgrid(*_lines(-size, size)), axis=-1).reshape(-1, 3) if filled else box_shell(-size, size)


def _lines(low: np.ndarray, high: np.ndarray, spacing: float = SPACING_M) -> list[np.ndarray]:
    return [np.linspace(a, b, max(2, int(np.ceil((b - a) / spacing)) + 1)) for a, b in zip(low, high, strict=True)]


def box_shell(low: np.ndarray, high: np.ndarray, spacing: float = SPACING_M) -> np.ndarray:
    """(P, 3) points on the six faces of a box."""
    lines = _lines(low, high, spacing)
    faces = []
    for axis, side in product(range(3), (0, -1)):
        chosen = [line if i != axis else line[[side]] for i, line in enumerate(lines)]
        faces.append(np.stack(np.meshgrid(*chosen, indexing="ij"), axis=-1).reshape(-1, 3))
    return np.concatenate(faces)


def thinned(points: np.ndarray) -> np.ndarray:
    """One of the `points` per cell of `THIN_M`."""
    cells = np.round(points / THIN_M).astype(np.int64)
    _, first = np.unique(cells @ np.array([1, 1 << 20, 1 << 40]), return_index=True)
    return points[first]
