"""Clouds from depth: closed forms, an even cover, and errors that name the field."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.errors import BurnishError
from burnish.points import Cloud, lift, sample

BOX = Cloud((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0), count=64, voxel_m=0.0)


def around(points: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - cloud[None], axis=2).min(axis=1)


def test_a_wall_in_front_of_a_turned_camera_is_lifted_to_where_it_stands():
    """The camera stands at x = 2 and looks along −x; rows go down, columns towards +y."""
    rotation = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], float)
    depth = np.full((4, 6), 1.5)
    depth[0, 0], depth[1, 1] = np.nan, 0.0
    points = lift(depth, focal_px=3.0, eye=np.array([2.0, 0.0, 0.0]), rotation=rotation)
    assert points.shape == (22, 3)
    assert np.allclose(points[:, 0], 0.5)
    expected = np.array([0.5, (5 + 0.5 - 3) / 3 * 1.5, -(3 + 0.5 - 2) / 3 * 1.5])
    assert np.allclose(points[-1], expected)


@pytest.mark.needs("open3d")
@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_a_sample_is_a_subset_that_covers_the_crop_evenly(seed, count):
    points = np.random.default_rng(seed).uniform(-1.5, 1.5, (count, 3))
    inside = points[(np.abs(points) <= 1).all(axis=1)]
    if not len(inside):
        return
    found = sample(points, BOX)
    assert found.shape == (64, 3)
    assert found.dtype == np.float32
    assert (around(found, inside) < 1e-6).all()
    if len(inside) <= 64:
        assert (around(inside, found) < 1e-6).all()
    else:  # no point left out is farther from the sample than the sample's points are from each other
        apart = np.linalg.norm(found[:, None] - found[None], axis=2) + 9 * np.eye(64)
        assert around(inside, found).max() <= apart.min() + 1e-6
    assert np.array_equal(found, sample(points, BOX))


@pytest.mark.needs("open3d")
def test_of_all_points_in_a_voxel_their_mean_is_kept_and_voxels_stay_where_they_are():
    cloud = Cloud((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), count=8, voxel_m=0.5)
    pair = np.array([[0.1, 0.1, 0.1], [0.3, 0.1, 0.1]])
    lone = np.array([[0.6, 0.6, 0.6]])
    found = np.unique(sample(np.concatenate([pair, lone]), cloud), axis=0)
    assert np.allclose(found, [[0.2, 0.1, 0.1], [0.6, 0.6, 0.6]])
    assert np.allclose(np.unique(sample(pair, cloud), axis=0), [[0.2, 0.1, 0.1]])


@pytest.mark.needs("open3d")
@pytest.mark.parametrize("points", [np.full((5, 3), 3.0), np.zeros((0, 3))], ids=["outside", "none"])
def test_an_empty_crop_is_an_error_that_names_the_field_and_the_crop(points):
    with pytest.raises(BurnishError, match=r"observation\.points: no point is inside the crop from \(-1\.0, .*widen"):
        sample(points, BOX)
