"""Scenes are built once, and without textures where nobody looks."""

from burnish.sim.libero.scene import scene
from burnish.sim.libero.suites import select


def test_a_scene_is_built_once_however_it_is_asked_for():
    (task,) = select("object/0")
    assert scene(task) is scene(task, False) is scene(task, looks=False)


def test_without_looks_there_is_hardly_a_texture_and_the_same_body():
    (task,) = select("object/0")
    plain, dressed = scene(task).model, scene(task, looks=True).model
    assert plain.tex_data.size < 1_000 < 1_000_000 < dressed.tex_data.size
    assert (plain.body_mass == dressed.body_mass).all() and (plain.body_inertia == dressed.body_inertia).all()
