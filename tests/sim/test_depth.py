"""Depth by casting rays: exact on shapes whose distance is known, the same from a recorded pose."""

import mujoco
import numpy as np
import pytest

from burnish.contract import ENVIRONMENT_STATE, POINTS, STATE
from burnish.errors import BurnishError
from burnish.points import FARTHEST_M, lift, places
from burnish.sim.base import make_env
from burnish.sim.camera import Camera
from burnish.sim.depth import DepthCamera

SCENE = """<mujoco><worldbody>
  <geom type="plane" size="5 5 1"/>
  <geom name="ball" type="sphere" pos="0.1 0.05 0.3" size="0.1"/>
</worldbody></mujoco>"""


def test_points_lie_on_the_floor_or_on_the_ball():
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = Camera(eye=(0.9, -0.4, 1.0), target=(0.0, 0.0, 0.1), fovy=50.0)
    depth = DepthCamera(model, camera, 64)
    points = lift(depth.look(data), depth.focal_px, np.array(camera.eye), camera.rotation())
    on_ball = np.abs(np.linalg.norm(points - [0.1, 0.05, 0.3], axis=1) - 0.1) < 1e-9
    assert on_ball.sum() > 50
    assert np.abs(points[~on_ball, 2]).max() < 1e-9


HAND = """<mujoco><worldbody>
  <geom type="plane" size="5 5 1"/>
  <body name="hand" pos="0.3 -0.2 0.5" mocap="true">
    <camera name="down" fovy="60"/><geom type="box" size="1 1 0.01" pos="0 0 -0.1" group="3"/>
  </body>
</worldbody></mujoco>"""


def test_places_of_a_camera_that_moves_are_where_its_rays_meet_the_floor():
    model = mujoco.MjModel.from_xml_string(HAND)
    data = mujoco.MjData(model)
    depth = DepthCamera(model, "down", 16, hide=[3])
    side = (np.arange(16) + 0.5) / 16 * 2 - 1
    for middle, height in (((0.3, -0.2), 0.5), ((-1.0, 0.4), 2.0)):
        data.mocap_pos[0] = [*middle, height]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        reach = height * np.tan(np.radians(30))
        x, y = np.meshgrid(middle[0] + reach * side, middle[1] - reach * side)
        expected = np.stack([x, y, np.zeros_like(x)], axis=2)
        assert np.abs(places(depth.look(data), depth.focal_px, *depth.pose(data)) - expected).max() < 1e-9


def test_where_nothing_is_hit_a_place_is_far_along_its_ray():
    depth = np.array([[0.0, 2.0], [np.nan, np.inf]])
    found = places(depth, 1.0, np.zeros(3), np.eye(3))
    assert np.allclose(found[:, :, 2], [[-FARTHEST_M, -2.0], [-FARTHEST_M, -FARTHEST_M]])
    assert np.allclose(found[0, 1], [1.0, 1.0, -2.0])


@pytest.mark.needs("open3d")
def test_a_lane_sees_its_own_world_and_a_recorded_pose_shows_the_same_cloud():
    with make_env("metaworld/drawer-open", 2, points=128) as env:
        obs = env.reset([1, 2])
        assert obs[STATE].shape == (2, 4)
        assert POINTS not in obs
        assert np.array_equal(obs[STATE], obs[ENVIRONMENT_STATE][:, :4])
        seen = env.look([0, 1])[POINTS].numpy()
        low, high = env.contract.observation[POINTS].low, env.contract.observation[POINTS].high
        assert ((seen >= low) & (seen <= high)).all()
        assert not np.array_equal(seen[0], seen[1])
        hand = obs[STATE][0, :3].numpy()
        assert np.linalg.norm(seen[0] - hand, axis=1).min() < 0.1
        poses = env.poses([0, 1])
        lane = env._pool._group.lanes[1]  # pyright: ignore
        again = {POINTS: np.zeros((128, 3), np.float32)}
        lane.look(again, poses[0])
        assert np.array_equal(again[POINTS], seen[0])


def test_where_there_are_no_points_they_are_refused():
    with pytest.raises(BurnishError, match=r"points=64, but libero has no point clouds"):
        make_env("libero/object/0", 1, points=64)
    with pytest.raises(BurnishError, match=r"points=0; give the number"):
        make_env("metaworld/reach", 1, points=0)
