"""Isaac Lab behind the contract: terminal observations, success per lane, cameras; only flags come to the host."""

from __future__ import annotations

import math

import pytest
import torch

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, IMAGES, STATE
from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.about import about
from burnish.sim.base import make_env
from burnish.sim.isaaclab.assets import VARIABLE
from burnish.sim.isaaclab.tasks import TASKS
from burnish.sim.isaaclab.verdicts import HELD_STEPS, VERDICTS
from tests.sim.batches import (  # noqa: F401  (collected here)
    test_a_world_that_diverges_is_named_with_what_to_do,
    test_no_gpu_is_one_line,
    test_nobody_elses_random_numbers_change,
    test_only_flags_come_to_the_host,
)

CARTPOLE, CAMERA = "isaaclab/Isaac-Cartpole", "isaaclab/Isaac-Cartpole-Camera"


@pytest.fixture(scope="module")
def poles():
    with make_env(CARTPOLE, 4, settings={"device": "cpu"}) as env:
        yield env


@pytest.fixture
def four(poles):
    return poles


@pytest.fixture
def action():
    return torch.zeros(4, 1)


def test_every_task_is_isaac_labs_and_says_when_it_is_solved():
    """From its own config: horizon, cameras, and the term that knows of success."""
    from isaaclab_tasks.utils import parse_env_cfg

    terms = {"survived": "success_rate", "drawer": "open_drawer_bonus"}
    for name, task in TASKS.items():
        config = parse_env_cfg(name, device="cpu", num_envs=1, overrides=["physics=newton_mjwarp"])
        assert round(config.episode_length_s / (config.sim.dt * config.decimation)) == task.steps
        assert any(hasattr(part, "data_types") for part in vars(config.scene).values()) == task.cameras
        assert task.verdict in VERDICTS
        if hasattr(config, "rewards") and task.verdict in terms:
            assert getattr(config.rewards, terms[task.verdict]) is not None
        if task.verdict == "reached":
            assert config.terminations.success is not None
        if task.verdict == "walked":
            assert config.commands.base_velocity.vel_xy_success_threshold > 0


def test_a_pole_that_is_held_counts_and_one_that_is_let_go_does_not(poles):
    """Lanes 0 and 1 are held, in 2 and 3 the cart is driven off its rail: their outcome is known."""
    expert = registry.experts.load("isaaclab")(poles)
    obs, solved = poles.reset([1, 2, 3, 4]), torch.zeros(4, dtype=torch.bool)
    running, ended = [0, 1, 2, 3], {}
    for count in range(poles.max_episode_steps):
        action = expert.act(obs)
        action[2:] = 1.0
        step = poles.step(action, ids=running)
        obs, solved = step.obs, solved | step.info["success"]
        for lane in [lane for lane in running if step.done[lane]]:
            ended[lane] = count + 1
            running.remove(lane)
            if lane > 1:  # off the rail, as it is seen in the last observation of the episode
                assert step.truncated[lane] and step.info["crashed"][lane] and not step.terminated[lane]
                assert abs(step.info["final_obs"][STATE][lane, 0]) > 3.0
        if not running:
            break
    assert solved.tolist() == [True, True, False, False]
    assert all(ended[lane] >= HELD_STEPS for lane in (0, 1)) and all(ended[lane] < HELD_STEPS for lane in (2, 3))


def test_the_last_observation_is_of_the_episode_that_ended_not_of_the_next():
    with make_env(CARTPOLE, 2, auto_reset=True, dense_reward=True, settings={"device": "cpu"}) as env:
        obs = env.reset([1, 2])
        while True:
            before, step = obs, env.step(torch.ones(2, 1))
            obs = step.obs
            if step.done.any():
                break
        lane = int(step.done.nonzero()[0])
        final, fresh = step.info["final_obs"][STATE][lane], obs[STATE][lane]
        assert abs(final[0]) > 3.0 > abs(fresh[0]) and abs(final[0] - before[STATE][lane, 0]) < 0.5
        assert step.info["dense_reward"].shape == (2,)


def test_two_worlds_side_by_side_do_not_notice_each_other():
    """Isaac Lab keeps its only world in class attributes."""
    with make_env(CARTPOLE, 2, settings={"device": "cpu"}) as one:
        obs = one.reset([1, 2])
        alone = [obs] + [one.step(torch.full((2, 1), 0.1)).obs for _ in range(4)]
        one.reset([1, 2])
        with make_env(CARTPOLE, 3, settings={"device": "cpu"}) as other:
            other.reset([7, 8, 9])
            for expected in alone[1:]:
                found = one.step(torch.full((2, 1), 0.1)).obs
                other.step(torch.full((3, 1), -0.5))
                assert torch.equal(found[STATE], expected[STATE])
        assert torch.isfinite(one.step(torch.zeros(2, 1)).obs[STATE]).all()


def test_a_camera_is_looked_through_only_when_asked_and_sees_the_pole_move():
    with make_env(CAMERA, 2, cameras=48, settings={"device": "cpu"}) as env:
        key = f"{IMAGES}tiled_camera"
        assert env.contract.looks == (key,) and env.contract.cameras == 48
        obs = env.reset([1, 2])
        assert obs.keys() == {ENVIRONMENT_STATE}
        first = env.look([0, 1])[key]
        assert first.shape == (2, 48, 48, 3) and first.dtype == torch.uint8 and first.float().std() > 1
        assert not torch.equal(first[0], first[1])
        for _ in range(20):
            env.step(torch.tensor([[0.5], [0.0]]))
        assert not torch.equal(env.look([0, 1])[key][0], first[0])
        frames = env.render([0, 1], 64)
        assert frames.shape == (2, 64, 64, 3) and frames.float().std() > 1


def test_bad_input_is_one_line(monkeypatch, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'isaaclab/Isaac-Cartpole'"):
        make_env("isaaclab/Isaac-Cartpol", 1)
    with pytest.raises(BurnishError, match=r"cameras=32, but it has none; take one of these: .*Isaac-Cartpole-Camera"):
        make_env(CARTPOLE, 1, cameras=32)
    with pytest.raises(BurnishError, match=f"ant.*; export {VARIABLE}=FOLDER that has it"):
        make_env("isaaclab/Isaac-Ant", 1, settings={"device": "cpu"})
    with make_env(CARTPOLE, 1, settings={"device": "cpu"}) as env:  # what could not be made leaves nothing behind
        assert math.isfinite(env.reset([1])[STATE].sum())
    silent = next(group for group in about("isaaclab").groups if "no success" in group.success)
    with pytest.raises(BurnishError, match="no success signal"):
        make_env(f"isaaclab/{silent.tasks[0]}", 1)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(BurnishError, match=f"does not run on this machine: {VARIABLE} is .*; export {VARIABLE}=FOLDER"):
        make_env(CARTPOLE, 1)
