"""Rotations: every way of writing one down is read back."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import BurnishError
from burnish.rotations import ROTATIONS, turn


def some(count: int = 200) -> np.ndarray:
    """Random ones, none at all, and half turns about every axis."""
    quaternions = np.random.default_rng(0).normal(size=(count, 4))
    special = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1e-7, 1, 0, 0], [1, 1e-10, 0, 0]])
    return ROTATIONS["quaternion"].read(np.concatenate([quaternions, special]))


@pytest.mark.parametrize("name", ROTATIONS)
def test_what_is_written_is_read_back(name: str):
    way, matrices = ROTATIONS[name], some()
    assert np.allclose(np.linalg.det(matrices), 1)
    written = way.write(matrices)
    assert written.shape == (len(matrices), len(way.names))
    assert np.allclose(way.read(written), matrices, atol=1e-9)
    scaled = written if name == "axis_angle" else 3 * written
    assert np.allclose(way.read(scaled), matrices, atol=1e-9)
    assert np.isnan(way.read(np.full(len(way.names), np.nan))).all()


def test_a_quarter_turn_about_z():
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert np.allclose(turn(quarter), [0, 0, np.pi / 2])
    assert np.allclose(ROTATIONS["quaternion"].write(quarter), [np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    assert np.allclose(ROTATIONS["6d"].write(quarter), [0, 1, 0, -1, 0, 0])


@pytest.mark.parametrize(("name", "message"), [("6d", "first axis"), ("quaternion", "a quaternion")])
def test_what_has_no_direction_is_refused(name: str, message: str):
    with pytest.raises(BurnishError, match=f"{message}.*no direction"):
        ROTATIONS[name].read(np.zeros(len(ROTATIONS[name].names)))
