"""Depth in 3D: an image's patches and where they lie; clouds, cropped, thinned, brought to a fixed number of points.

NumPy in, NumPy out; the same functions serve a simulator's depth and a robot's depth camera. Open3D thins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from burnish.contract import POINTS
from burnish.errors import BurnishError

PACKAGES = "libgl1 libegl1 libx11-6 libusb-1.0-0"
"""Debian's and Ubuntu's packages that Open3D loads."""
FARTHEST_M = 10.0
"""Along the optical axis: there `places` take something to be where a camera finds nothing. No ray goes farther."""


class EmptyCropError(BurnishError):
    """A camera sees nothing where it should."""


@dataclass(frozen=True)
class Cloud:
    """How a cloud is made of whatever points a camera sees; `low` and `high` (m, world) are the corners of the crop."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    count: int = 512
    """N, points of every cloud."""
    voxel_m: float = 0.005
    """Of all points in a cube with this edge one is kept, their mean; 0 keeps all."""


def lift(depth: np.ndarray, focal_px: float, eye: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(P, 3) m, world: what a pinhole camera sees.

    Args:
        depth: (H, W) m along the optical axis, the highest row first; not finite or ≤ 0 where there is nothing.
        focal_px: focal length in pixels; the optical axis goes through the middle of the image.
        eye: (3,) m, where the camera is.
        rotation: (3, 3), columns right, up, backward, as MuJoCo's `cam_xmat`.
    """
    height, width = depth.shape
    row, column = np.nonzero(np.isfinite(depth) & (depth > 0))
    z = depth[row, column]
    right = (column + 0.5 - width / 2) / focal_px * z
    up = (height / 2 - row - 0.5) / focal_px * z
    return np.stack([right, up, -z], axis=1) @ rotation.T + eye


def places(depth: np.ndarray, focal_px: float, eye: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(H, W, 3) m, world: where each pixel of `depth` lies; arguments as of `lift`.

    For `observation.places` give the depth in the middles of the patches: (P, P), and the focal length in
    patches.
    """
    found = np.isfinite(depth) & (depth > 0)
    return lift(np.where(found, depth, FARTHEST_M), focal_px, eye, rotation).reshape(*depth.shape, 3)


def sample(points: np.ndarray, cloud: Cloud) -> np.ndarray:
    """(N, 3) float32 of `points` (P, 3), m: inside the crop, one per voxel, then the N that are farthest apart.

    The first n of them are, for every n, again points far apart (farthest-point sampling, arXiv 1706.02413). Fewer than
    N points repeat. Deterministic. Raises `EmptyCropError` if no point is inside the crop.
    """
    low, high = np.array(cloud.low), np.array(cloud.high)
    inside = points[((points >= low) & (points <= high)).all(axis=1)]
    if not len(inside):
        seen = f"from {points.min(axis=0).round(3)} to {points.max(axis=0).round(3)}" if len(points) else "none at all"
        raise EmptyCropError(
            f"{POINTS}: no point is inside the crop from {cloud.low} to {cloud.high} m; the camera's points: {seen}. "
            "Check the camera's pose and depth unit (m), or widen the crop"
        )
    thinned = _apart(inside, cloud)
    return thinned[np.arange(cloud.count) % len(thinned)].astype(np.float32)


def _apart(points: np.ndarray, cloud: Cloud) -> np.ndarray:
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise BurnishError(
            f"point clouds need Open3D, which cannot be loaded ({error}): `pip install 'burnish[points]'`, and on "
            f"Debian or Ubuntu `apt-get install {PACKAGES}`"
        ) from error
    shape = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    if cloud.voxel_m:
        # From the crop's corner, so that the cubes are the same for every cloud.
        shape = shape.voxel_down_sample_and_trace(cloud.voxel_m, np.array(cloud.low), np.array(cloud.high))[0]
    if len(shape.points) > cloud.count:
        shape = shape.farthest_point_down_sample(cloud.count)
    return np.asarray(shape.points)
