"""What cameras see of the Franka world is where it is."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch

from burnish.contract import ENVIRONMENT_STATE, IMAGES, POINTS
from burnish.sim.base import make_env
from burnish.sim.depth import DepthCamera
from burnish.sim.franka.cameras import Cameras
from burnish.sim.franka.model import visual_model
from burnish.sim.franka.tasks import TASKS
from burnish.sim.franka.views import FRONT, LOW
from burnish.sim.vector import LanesEnv

FRONT_IMAGE, WRIST_IMAGE = f"{IMAGES}front", f"{IMAGES}wrist"


@pytest.fixture(scope="module")
def env():
    with make_env("franka/lift", 3, workers=2, cameras=64) as env:
        yield env


def redness(image: torch.Tensor) -> torch.Tensor:
    """(H, W) bool, where the cube is seen."""
    red, green, blue = image.int().unbind(-1)
    return (red - green > 60) & (red - blue > 60)


def test_only_lanes_that_look_see_something_new(env):
    env.reset([1, 2, 3])
    before = env.look([0, 1, 2])
    assert before[FRONT_IMAGE].shape == (3, 64, 64, 3) and before[WRIST_IMAGE].dtype == torch.uint8
    assert all(redness(image).any() for image in before[FRONT_IMAGE])
    env.reset([4, 5, 6])
    after = env.look([1])
    assert torch.equal(after[FRONT_IMAGE][[0, 2]], before[FRONT_IMAGE][[0, 2]])
    assert not torch.equal(after[FRONT_IMAGE][1], before[FRONT_IMAGE][1])


def test_what_is_drawn_later_from_a_pose_is_what_was_seen(env):
    env.reset([1, 2, 3])
    seen = env.look([0, 1, 2])
    assert isinstance(env, LanesEnv)
    alone = Cameras("lift", cameras=64)
    for lane, pose in enumerate(env.poses([0, 1, 2])):
        out = {key: np.zeros_like(value[lane].numpy()) for key, value in seen.items()}
        alone.look(out, pose)
        assert all(np.array_equal(out[key], seen[key][lane].numpy()) for key in seen)


def test_depth_is_that_of_mujocos_own_rays(env):
    env.reset([1, 2, 3])
    pose = env.poses([0])[0]
    _, depth, eyes, rotations = Cameras("lift", cameras=64).see([pose])
    model = visual_model(TASKS["lift"])
    data = mujoco.MjData(model)
    data.qpos[:] = pose["qpos"]
    mujoco.mj_kinematics(model, data)
    expected = DepthCamera(model, FRONT, 64).look(data)
    both = (expected > 0) & (depth[0, 0] > 0) & (expected < 3)  # a plane has an end for one of them
    assert both.mean() > 0.7 and np.median(np.abs(depth[0, 0] - expected)[both]) < 1e-3
    assert np.allclose(eyes[0, 0], FRONT.eye) and np.allclose(rotations[0, 0], FRONT.rotation())


def test_the_wrists_camera_moves_with_the_hand_and_looks_at_its_fingers(env):
    env.reset([1, 2, 3])
    poses = env.poses([0, 1])
    _, depth, eyes, rotations = Cameras("lift", cameras=64, lanes=2).see(poses)
    assert np.linalg.norm(eyes[0, 1] - eyes[1, 1]) > 0.005
    assert np.allclose(rotations[:, 1] @ rotations[:, 1].transpose(0, 2, 1), np.eye(3), atol=1e-9)
    assert 0.03 < depth[0, 1][48:, 24:40].min() < 0.15


def test_how_an_episode_looks_belongs_to_it():
    wild = {"camera": 0.05, "light": 0.3, "color": 0.3}
    with make_env("franka/lift", 2, cameras=32, settings={"randomize": wild}) as env:
        env.reset([1, 2])
        first = env.look([0, 1])[FRONT_IMAGE]
        env.reset([2, 1])
        again = env.look([0, 1])[FRONT_IMAGE]
    assert torch.equal(first.flip(0), again)
    assert (first[0].float().mean((0, 1)) - first[1].float().mean((0, 1))).abs().max() > 5


@pytest.mark.needs("open3d")
def test_a_cloud_shows_the_cube_where_it_is():
    with make_env("franka/lift", 2, points=1024) as env:
        know = env.reset([1, 2])[ENVIRONMENT_STATE]
        clouds = env.look([0, 1])[POINTS]
    for cloud, cube in zip(clouds, know[:, :3], strict=True):
        near = cloud[(cloud - cube).abs().amax(1) < 0.03]
        assert len(near) > 5 and near[:, 2].max() == pytest.approx(0.04, abs=0.004)


@pytest.mark.needs("open3d")
def test_a_cloud_of_nothing_lies_in_the_crops_lowest_corner():
    """The arm points backwards, and the cube is on the floor: no reason to end a training."""
    with make_env("franka/lift", 1, points=16) as env:
        env.reset([1])
        assert isinstance(env, LanesEnv)
        pose = env.poses([0])[0]
    pose["qpos"] = pose["qpos"].copy()
    pose["qpos"][0], pose["qpos"][-7:-4] = 2.8, (2.0, 0.0, 0.02)
    out = {POINTS: np.zeros((16, 3), np.float32)}
    Cameras("lift", points=16).look(out, pose)
    assert np.allclose(out[POINTS], LOW)
