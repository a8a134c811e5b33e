"""How a rotation is written down, in an observation or an action: three ways that datasets and policies use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from burnish.errors import BurnishError

SMALL = 1e-9


@dataclass(frozen=True)
class Rotation:
    """One of them.

    Attributes:
        names: of its R numbers.
        unit: of each.
        write: (…, 3, 3) matrices, whose columns are the turned axes, to (…, R).
        read: the inverse. What is not finite stays so; what is near a rotation is the nearest one of its kind.
    """

    names: tuple[str, ...]
    unit: str
    write: Callable[[np.ndarray], np.ndarray]
    read: Callable[[np.ndarray], np.ndarray]


def turn(matrix: np.ndarray) -> np.ndarray:
    """(…, 3) rad about the base's axes: the shortest rotation vector of matrices (…, 3, 3)."""
    quaternion = _to_quaternion(matrix)
    size = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(size, quaternion[..., :1])
    return quaternion[..., 1:] * np.where(size > SMALL, angle / np.maximum(size, SMALL), 2.0)


def _axes(matrix: np.ndarray) -> np.ndarray:
    return np.concatenate([matrix[..., 0], matrix[..., 1]], axis=-1)


def _from_axes(numbers: np.ndarray) -> np.ndarray:
    """Gram–Schmidt (Zhou et al., CVPR 2019, arXiv 1812.07035, section 3.1)."""
    first = _unit(numbers[..., :3], "the first axis of a rotation")
    second = numbers[..., 3:] - (first * numbers[..., 3:]).sum(-1, keepdims=True) * first
    second = _unit(second, "the second axis of a rotation, beside the first,")
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def _to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """(…, 4) w x y z, w ≥ 0 (Shepperd 1978: by the largest, so that nothing small is divided by)."""
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    trace = diagonal.sum(-1, keepdims=True)
    squares = np.concatenate([1 + trace, 1 - trace + 2 * diagonal], axis=-1)  # 4 w², 4 x², 4 y², 4 z²
    (xy, xz, yz), (z, y, x) = (
        [matrix[..., i, j] + sign * matrix[..., j, i] for i, j in ((1, 0), (2, 0), (2, 1))] for sign in (1, -1)
    )
    y = -y
    products = np.stack(
        [
            np.stack([squares[..., 0], x, y, z], -1),
            np.stack([x, squares[..., 1], xy, xz], -1),
            np.stack([y, xy, squares[..., 2], yz], -1),
            np.stack([z, xz, yz, squares[..., 3]], -1),
        ],
        axis=-2,
    )
    best = np.take_along_axis(products, squares.argmax(-1)[..., None, None], axis=-2)[..., 0, :]
    found = best / np.linalg.norm(best, axis=-1, keepdims=True)
    return np.where(found[..., :1] < 0, -found, found)


def _from_quaternion(numbers: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(_unit(numbers, "a quaternion"), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _from_turn(numbers: np.ndarray) -> np.ndarray:
    angle = np.linalg.norm(numbers, axis=-1, keepdims=True)
    share = np.where(angle > SMALL, np.sin(angle / 2) / np.maximum(angle, SMALL), 0.5)
    return _from_quaternion(np.concatenate([np.cos(angle / 2), share * numbers], axis=-1))


def _unit(vector: np.ndarray, what: str) -> np.ndarray:
    """Raises `BurnishError` for one without a direction."""
    size = np.linalg.norm(vector, axis=-1, keepdims=True)
    if (size < 1e-6).any():
        raise BurnishError(f"{what} is {vector.reshape(-1, vector.shape[-1])[size.argmin()]}, which has no direction")
    return vector / size


ROTATIONS = {
    "6d": Rotation(tuple(f"{axis}_{part}" for axis in "xy" for part in "xyz"), "1", _axes, _from_axes),
    "quaternion": Rotation(("qw", "qx", "qy", "qz"), "1", _to_quaternion, _from_quaternion),
    "axis_angle": Rotation(("rx", "ry", "rz"), "rad", turn, _from_turn),
}
"""6d: the first two axes, continuous, so the easiest to learn. The other two leap where a hand points straight down."""
