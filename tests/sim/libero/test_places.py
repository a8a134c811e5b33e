"""Where LIBERO's image patches lie: the places of what the images show there, recorded and live."""

import mujoco
import numpy as np
import pytest
import torch

from burnish.contract import PLACES
from burnish.errors import BurnishError
from burnish.sim.base import make_env
from burnish.sim.libero.camera import CAMERAS, PATCHES
from burnish.sim.libero.env import Libero
from burnish.sim.libero.lane import LiberoLane

SIZE = 128
IMAGE = next(iter(CAMERAS))
FRONT, WRIST = 0, 1


def blank() -> dict[str, np.ndarray]:
    images = {key: np.zeros((SIZE, SIZE, 3), np.uint8) for key in CAMERAS}
    return images | {PLACES: np.zeros((2, PATCHES, PATCHES, 3), np.float32)}


@pytest.fixture(scope="module")
def lane() -> LiberoLane:
    made = LiberoLane("object/1", SIZE)
    made.reset(1)
    return made


@pytest.mark.needs("opengl")
def test_a_place_is_of_the_patch_that_shows_it(lane):
    """All objects are lifted: where places change, so does the image; the lifted ones are where they were lifted to."""
    model, pose = lane._scene.model, lane.pose()
    heights = model.jnt_qposadr[model.jnt_type == mujoco.mjtJoint.mjJNT_FREE] + 2
    seen = []
    for lift in (0.0, 0.15):
        pose["qpos"][heights] += lift
        seen.append(blank())
        lane.look(seen[-1], pose)
    before, after = seen
    moved = np.linalg.norm(after[PLACES][FRONT] - before[PLACES][FRONT], axis=2) > 1e-3
    change = np.abs(after[IMAGE].astype(float) - before[IMAGE]).mean(axis=2)
    middles = change.reshape(PATCHES, 8, PATCHES, 8)[:, 3:5, :, 3:5].mean(axis=(1, 3))
    assert moved.sum() > 10
    assert (middles[moved] > 2).all() and not (middles[moved[:, ::-1]] > 2).all()
    lifted = pose["qpos"][heights[:, None] + [-2, -1, 0]]
    risen = after[PLACES][FRONT][moved & (after[PLACES][FRONT][:, :, 2] > before[PLACES][FRONT][:, :, 2] + 0.05)]
    away = np.linalg.norm(risen[:, None] - lifted, axis=2)
    assert len(risen) > 5 and away.min(axis=1).max() < 0.2


@pytest.mark.needs("opengl")
def test_what_the_cameras_see_lies_on_the_floor_or_above_and_near_the_hand(lane):
    seen = blank()
    lane.look(seen)
    assert np.isfinite(seen[PLACES]).all() and seen[PLACES][..., 2].min() > -1e-3
    on_floor = np.abs(seen[PLACES][WRIST][..., 2]) < 1e-3
    assert on_floor.mean() > 0.3
    hand = lane._state[:3].copy()
    assert np.median(np.linalg.norm(seen[PLACES][WRIST][on_floor, :2] - hand[:2], axis=1)) < 0.4
    before = seen[PLACES][WRIST].copy()
    for _ in range(5):
        lane.step(np.array([1, 0, 0, 0, 0, 0, -1], np.float32))
    lane.look(seen)
    shift = (seen[PLACES][WRIST] - before)[on_floor & (np.abs(seen[PLACES][WRIST][..., 2]) < 1e-3)]
    assert np.median(shift[:, 0]) == pytest.approx(
        lane._state[0] - hand[0], abs=0.02
    )  # this camera moves with the hand


@pytest.mark.needs("opengl")
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_an_environment_gives_places_beside_images(workers):
    with make_env("libero/object/1", 2, workers=workers, cameras=64, places=True) as env:
        obs = env.reset([1, 2])
        assert not [key for key in obs if key in env.contract.looks]
        assert env.contract.looks == (*CAMERAS, PLACES)
        seen = env.look([0, 1])
        assert seen[PLACES].shape == (2, 2, PATCHES, PATCHES, 3) and seen[PLACES].dtype == torch.float32
        assert env.contract.observation[PLACES].shape == (2, PATCHES, PATCHES, 3)
        assert not torch.equal(seen[PLACES][0], seen[PLACES][1])


def test_places_where_there_are_none_and_without_images_are_refused(monkeypatch):
    with pytest.raises(BurnishError, match=r"give cameras=.*--images"):
        make_env("libero/object/1", 1, places=True)
    monkeypatch.setattr(Libero, "has_places", False)
    with pytest.raises(BurnishError, match=r"places=True, but libero has no places"):
        make_env("libero/object/1", 1, cameras=64, places=True)
