"""What LIBERO's cameras show is what LIBERO itself renders, and nothing is rendered that nobody asked for."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from burnish.contract import ENVIRONMENT_STATE, STATE, TASK, ContractError
from burnish.errors import BurnishError
from burnish.sim.base import VecEnv, make_env
from burnish.sim.libero.camera import CAMERAS
from burnish.sim.libero.env import contract
from burnish.sim.libero.lane import LiberoLane
from burnish.sim.libero.quiet import quiet
from burnish.sim.libero.starts import Start, address
from burnish.sim.libero.suites import select
from burnish.sim.opengl import PACKAGES

SIZE = 64
NOTHING = [0, 0, 0, 0, 0, 0, -1]


def blank() -> dict[str, np.ndarray]:
    return {key: np.zeros((SIZE, SIZE, 3), np.uint8) for key in CAMERAS}


def original(name: str, state: np.ndarray, actions: np.ndarray) -> list[dict[str, np.ndarray]]:
    """What LIBERO's own environment returns after settling and after each action, turned by 180°."""
    (task,) = select(name)
    with quiet():
        from libero.libero.envs import OffScreenRenderEnv

        env = OffScreenRenderEnv(bddl_file_name=str(task.bddl), camera_heights=SIZE, camera_widths=SIZE)
        np.random.seed(7)
        env.reset()
        env.set_init_state(state)
        for _ in range(9):
            env.step(NOTHING)
        seen = [env.step(action)[0] for action in [NOTHING, *actions]]
        env.close()
    return [{key: obs[f"{camera}_image"][::-1, ::-1] for key, camera in CAMERAS.items()} for obs in seen]


@pytest.mark.needs("opengl")
@pytest.mark.parametrize(("name", "knob"), [("object/0", None), pytest.param("goal/7", 0.27, marks=pytest.mark.slow)])
def test_images_are_liberos_pixel_for_pixel(name, knob):
    """With a stove that begins to glow in between, where there is one."""
    lane = LiberoLane(name, SIZE)
    model, states = lane._scene.model, lane._scene.init_states
    before = states[2].copy()
    if knob is not None:
        joint = model.joint("flat_stove_1_button")
        states[2, 1 + joint.qposadr[0]], states[2, 1 + model.nq + joint.dofadr[0]] = knob, 0.5
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 7)).astype(np.float32)
    expected = original(name, states[2], actions.astype(float))
    lane.reset(address(Start(0, 2, 7)))
    states[2] = before
    burner = ["burner" in model.site(number).name for number in range(model.nsite)]
    glows = set()
    for index, images in enumerate(expected):
        if index:
            lane.step(actions[index - 1])
        found = blank()
        lane.look(found)
        glows |= set(model.site_rgba[burner, 3].tolist())
        for key, image in images.items():
            assert np.array_equal(found[key], image), (index, key)
    assert len(glows) == (0 if knob is None else 2)


@pytest.fixture(scope="module", params=[0, 2], ids=["here", "workers"])
def env(request):
    with make_env("libero/object/1", 3, workers=request.param, horizon=4, cameras=SIZE) as made:
        yield made


@pytest.mark.needs("opengl")
def test_looking_renders_the_lanes_asked_for_and_leaves_the_others(env: VecEnv):
    obs = env.reset([1, 2, 3])
    assert obs.keys() == {STATE, ENVIRONMENT_STATE, TASK}
    first = env.look([0, 1, 2])
    for key in CAMERAS:
        assert first[key].shape == (3, SIZE, SIZE, 3) and first[key].dtype == torch.uint8
        assert env.contract.observation[key].shape == (SIZE, SIZE, 3)
        assert first[key].float().std() > 20
    env.step(torch.ones(3, 7))
    second = env.look([1])
    for key in CAMERAS:
        assert torch.equal(second[key][[0, 2]], first[key][[0, 2]])
        assert not torch.equal(second[key][1], first[key][1])
    step = env.step(torch.ones(3, 7))
    assert step.obs.keys() == obs.keys() == step.info["final_obs"].keys()


@pytest.mark.needs("opengl")
def test_images_belong_to_the_caller_and_to_the_moment(env: VecEnv):
    env.reset([1, 2, 3])
    seen = env.look([0, 1, 2])
    kept = {key: value.clone() for key, value in seen.items()}
    env.step(torch.ones(3, 7))
    snapshot = env.state()
    later = env.look([0, 1, 2])
    env.step(-torch.ones(3, 7))
    env.restore(snapshot)
    again = env.look([0, 1, 2])
    for key in CAMERAS:
        assert torch.equal(seen[key], kept[key]) and torch.equal(again[key], later[key])


@pytest.mark.needs("opengl")
def test_a_lane_that_was_never_reset_has_nothing_to_show():
    with make_env("libero/object/1", 2, cameras=SIZE) as fresh, pytest.raises(BurnishError, match=r"lanes \[1\]"):
        fresh.look([1])


def test_without_cameras_there_are_no_images():
    with make_env("libero/object/1", 2) as blind:
        blind.reset([1, 2])
        assert blind.contract.images == () and blind.look([0]) == {}


def test_an_environment_without_cameras_says_so():
    with pytest.raises(BurnishError, match=r"cameras=64, but metaworld has no images"):
        make_env("metaworld/reach", 1, cameras=64)
    with pytest.raises(BurnishError, match="cameras=0"):
        make_env("libero/object/1", 1, cameras=0)


def test_a_machine_without_opengl_is_told_what_to_install():
    code = (
        "from burnish.sim.base import make_env\n"
        "from burnish.sim.opengl import OpenGLError\n"
        "try:\n    make_env('libero/object/1', 1, cameras=64)\n"
        "except OpenGLError as error:\n    print(error)\n"
    )
    missing = os.environ | {"MUJOCO_GL": "egl", "MUJOCO_EGL_DEVICE_ID": "99"}
    done = subprocess.run([sys.executable, "-c", code], env=missing, capture_output=True, text=True, check=True)
    assert f"apt-get install {PACKAGES}" in done.stdout and "`burnish train … --state`" in done.stdout


def test_a_policy_may_read_a_part_of_what_there_is_but_no_more():
    offered, reads = contract(SIZE), contract(None)
    reads.check(offered.only(reads.observation), here="policy", there="environment")
    assert (reads.cameras, offered.cameras) == (None, SIZE)
    with pytest.raises(ContractError, match=r"observation\.images\.image: only in the policy"):
        offered.check(reads.only(offered.observation), here="policy", there="environment")
