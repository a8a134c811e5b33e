"""Depth by casting rays: exact on shapes whose distance is known, the same from a recorded pose."""

import mujoco
import numpy as np
import pytest

from burnish.contract import ENVIRONMENT_STATE, POINTS, STATE
from burnish.errors import BurnishError
from burnish.points import lift
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
