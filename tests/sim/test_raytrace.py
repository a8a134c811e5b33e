"""Ray-traced frames: what is there is seen where it is, without OpenGL."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest

from burnish.sim.raytrace import Camera, RenderError, pose_of, raytrace

SCENE = """
<mujoco>
  <asset>
    <texture name="wood" type="2d" builtin="flat" rgb1="1 0 0" width="8" height="8"/>
    <material name="wood" texture="wood"/>
    <mesh name="wedge" vertex="-.1 -.1 0  .1 -.1 0  0 .1 0  0 0 .2"/>
  </asset>
  <worldbody>
    <camera name="any"/>
    <body name="box"><freejoint/><geom type="box" size=".1 .1 .1" rgba="0 1 0 1"/></body>
    <geom type="mesh" mesh="wedge" material="wood" pos="0 .5 0"/>
    <site name="goal" pos="0 -.5 0" size=".1" rgba="0 0 1 1"/>
    <site name="hidden_goal" pos="0 -.5 .4" size=".1" rgba="0 0 1 0"/>
    <site name="sensor" pos="0 -.5 -.4" size=".1" rgba="0 0 1 1"/>
  </worldbody>
</mujoco>
"""
CAMERA = Camera(eye=(2.0, 0.0, 0.0), target=(0.0, 0.0, 0.0), fovy=45.0)
"""Looks along -x: +y is right in the image, +z is up."""
SIZE = 64
CENTER = SIZE // 2


@pytest.fixture(scope="module")
def scene():
    model = mujoco.MjModel.from_xml_string(SCENE)
    return model, mujoco.MjData(model)


def posed(scene, *position: float):
    model, data = scene
    data.qpos[:3] = position
    mujoco.mj_forward(model, data)
    return pose_of(data)


def seen(frame: np.ndarray, channel: int) -> tuple[float, float]:
    """Mean (row, column) of the pixels where `channel` stands out."""
    others = np.delete(frame.astype(int), channel, axis=-1).max(axis=-1)
    rows, columns = np.nonzero(frame[..., channel].astype(int) - others > 60)
    assert len(rows)
    return rows.mean(), columns.mean()


def test_frames_show_each_pose_in_order_and_upright(scene):
    poses = [posed(scene, 0, 0, 0.3), posed(scene, 0, 0, -0.3), *[posed(scene, 0, 0, 0)] * 20]
    frames = raytrace(scene[0], poses, CAMERA, SIZE)
    assert frames.shape == (22, SIZE, SIZE, 3)
    assert frames.dtype == np.uint8
    assert seen(frames[0], 1)[0] < CENTER - 5
    assert seen(frames[1], 1)[0] > CENTER + 5
    for frame in frames[2:]:
        assert seen(frame, 1) == pytest.approx((CENTER - 0.5, CENTER - 0.5), abs=1)
        assert np.array_equal(frame, frames[2])


def test_a_textured_mesh_without_texture_coordinates_is_drawn_in_its_texture_colour(scene):
    frame = raytrace(scene[0], [posed(scene, 0, 0, 0)], CAMERA, SIZE)[0]
    assert seen(frame, 0)[1] > CENTER + 10


def test_the_goal_is_drawn_where_it_is_and_other_sites_are_not(scene):
    frame = raytrace(scene[0], [posed(scene, 0, 0, 0)], CAMERA, SIZE)[0]
    row, column = seen(frame, 2)
    assert row == pytest.approx(CENTER - 0.5, abs=1)
    # Projected by hand: 0.5 m aside, 2 m away, half the image is 2 m · tan(22.5°).
    assert column == pytest.approx(CENTER - 0.5 - CENTER * 0.5 / (2 * np.tan(np.radians(22.5))), abs=1)


def test_what_stands_before_the_goal_hides_it(scene):
    before, behind = posed(scene, 0.5, -0.375, 0), posed(scene, -0.5, -0.625, 0)
    hidden, shown = raytrace(scene[0], [before, behind], CAMERA, SIZE)
    blue = [int((frame[..., 2] > frame[..., 1].astype(int) + 60).sum()) for frame in (hidden, shown)]
    assert blue[0] == 0
    assert blue[1] > 10


def test_the_model_is_left_as_it_was(scene):
    model, _ = scene
    before = (
        model.mat_rgba.copy(),
        model.geom_contype.copy(),
        model.light_active.copy(),
        model.vis.headlight.ambient.copy(),
    )
    raytrace(model, [posed(scene, 0, 0, 0)], CAMERA, SIZE)
    after = (model.mat_rgba, model.geom_contype, model.light_active, model.vis.headlight.ambient)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_no_poses_no_frames(scene):
    assert raytrace(scene[0], [], CAMERA, SIZE).shape == (0, SIZE, SIZE, 3)


def test_where_warp_cannot_compile_the_message_says_what_to_do(scene, monkeypatch: pytest.MonkeyPatch):
    import mujoco_warp

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CPU kernel build failed")

    monkeypatch.setattr(mujoco_warp, "render", broken)
    with pytest.raises(RenderError, match=r"kernel build failed.*WARP_CACHE_PATH"):
        raytrace(scene[0], [posed(scene, 0, 0, 0)], CAMERA, SIZE)


def test_cameras_turn_with_their_target():
    turned = dataclasses.replace(CAMERA, eye=(0.0, -2.0, 0.0))
    right, up, back = turned.rotation().T
    assert right == pytest.approx((1, 0, 0))
    assert up == pytest.approx((0, 0, 1))
    assert back == pytest.approx((0, -1, 0))
