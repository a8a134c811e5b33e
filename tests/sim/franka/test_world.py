"""What a user of the Franka world notices: its tasks, its options, its errors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, STATE
from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.base import VecEnv, make_env, next_seed
from burnish.sim.franka.tasks import TASKS
from burnish.sim.workers import DeadWorkerError


def play(env: VecEnv, seeds: list[int], **options) -> tuple[np.ndarray, list[np.ndarray]]:
    """Success of the expert's episodes, and what lane 0 saw."""
    expert = registry.experts.load("franka")(env, **options)
    obs, running = env.reset(seeds), list(range(env.num_envs))
    expert.reset(running, seeds)
    solved, seen = np.zeros(env.num_envs, bool), []
    while running:
        step = env.step(expert.act(obs), ids=running)
        obs = step.obs
        if 0 in running:
            seen.append(obs[STATE][0].numpy())
        solved[step.info["success"].numpy()] = True
        running = [lane for lane in running if not step.done[lane]]
    return solved, seen


def still(env: VecEnv, obs) -> torch.Tensor:
    """Actions that stay where the arm is, the gripper as it is."""
    return obs[STATE][:, [*range(7), 14]]


@pytest.mark.parametrize("task", TASKS)
def test_the_expert_solves_it(task):
    with make_env(f"franka/{task}", 20, workers=2) as env:
        assert play(env, list(range(20)))[0].mean() >= 0.95


def test_the_hole_is_elsewhere_in_every_episode_and_comes_back_with_its_state():
    with make_env("franka/peg-insert", 2) as env:
        obs = env.reset([1, 2])
        hole = obs[ENVIRONMENT_STATE][:, 12:14]
        assert not torch.allclose(hole[0], hole[1], atol=0.01)
        expert, snapshot, seen = registry.experts.load("franka")(env), [], []
        for count in range(70):
            if count == 55:  # the pegs are about to touch the block
                snapshot = env.state()
            obs = env.step(expert.act(obs)).obs
            seen.append(obs[STATE])
        env.reset([3, 4])
        obs = env.restore(snapshot)
        for expected in seen[55:]:
            obs = env.step(expert.act(obs)).obs
            assert torch.equal(obs[STATE], expected)


def test_the_number_of_lanes_changes_nothing():
    with make_env("franka/lift", 1) as one, make_env("franka/lift", 5, workers=2) as five:
        (_, alone), (_, beside) = play(one, [3]), play(five, [3, 4, 5, 6, 7])
    assert len(alone) == len(beside) and all(np.array_equal(a, b) for a, b in zip(alone, beside, strict=True))


def test_lanes_that_a_process_of_their_own_steps_are_the_same():
    found = []
    for beside in (False, True):
        with make_env("franka/lift", 3, horizon=8, auto_reset=True) as env:
            assert not beside or env.step_beside()
            action, seen = still(env, env.reset([1, 2, 3])), []
            for count in range(10):
                action = action + 0.01
                seen.append(env.step(action, ids=[0, 2] if count % 2 else None).obs[STATE])
            kept = env.state()
            seen.append(env.step(action).obs[STATE])
            env.restore(kept)
            found.append([*seen, env.step(action).obs[STATE]])
            if beside:
                env._pool._workers[0].process.kill()  # pyright: ignore[reportAttributeAccessIssue]
                with pytest.raises(DeadWorkerError, match="lanes 0 to 2 died"):
                    env.step(action)
                env.restart()
                env.reset([1, 2, 3])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert torch.equal(found[0][-1], found[0][-2])


@pytest.mark.parametrize("task", TASKS)
def test_nothing_happens_while_the_arm_stands_still(task):
    with make_env(f"franka/{task}", 4, dense_reward=True) as env:
        first = env.reset([1, 2, 3, 4])
        for _ in range(20):
            step = env.step(still(env, first))
        assert not step.done.any()
        assert torch.allclose(step.obs[STATE], first[STATE], atol=2e-3)
        assert torch.allclose(step.obs[ENVIRONMENT_STATE], first[ENVIRONMENT_STATE], atol=2e-3)
        assert ((step.info["dense_reward"] >= 0) & (step.info["dense_reward"] < 1)).all()


def test_the_gripper_closes_as_fast_as_the_hand_does():
    with make_env("franka/reach", 1) as env:
        obs = env.reset([0])
        action = still(env, obs)
        action[:, 7] = 0.0
        widths = [env.step(action).obs[STATE][0, 14].item() for _ in range(20)]
    speed = -np.diff(widths[4:14]) * 20
    assert np.allclose(speed, 0.1, atol=1e-4) and widths[-1] < 0.002


def test_another_rate_is_another_contract_and_the_same_world():
    with make_env("franka/lift", 4, settings={"rate_hz": 50.0}) as env:
        assert env.contract.action.rate_hz == 50 and env.max_episode_steps == 500
        assert play(env, [1, 2, 3, 4])[0].all()


@pytest.mark.parametrize(("joint", "change", "least"), [(5, -0.36, 1), (1, 0.34, 2)])
def test_what_the_driver_halts_for_ends_the_episode(joint, change, least):
    """A jump; and, a few steps on, the table."""
    with make_env("franka/reach", 2, auto_reset=True, dense_reward=True) as env:
        obs, steps, crashed = env.reset([1, 2]), 0, False
        while not crashed and steps < 30:
            action, before = still(env, obs), obs[STATE][0, :7]
            action[0, joint] += change
            step = env.step(action)
            obs, steps, crashed = step.obs, steps + 1, bool(step.crashed[0])
        assert crashed and steps >= least and step.truncated.tolist() == step.done.tolist() == [True, False]
        assert not step.info["success"].any() and (step.info["dense_reward"] > 0).tolist() == [False, True]
        assert (step.info["final_obs"][STATE][0, :7] - before).abs().max() < 0.1
        assert torch.equal(obs[STATE][0], env.reset([next_seed(1)], ids=[0])[STATE][0])
        assert not env.step(still(env, obs)).crashed.any()


def test_a_beginner_goes_on_where_the_driver_would_halt():
    with make_env("franka/reach", 2, dense_reward=True, settings={"halts": False}) as env:
        obs = env.reset([1, 2])
        action = still(env, obs)
        action[0, 5] -= 0.36
        step = env.step(action)
        assert not step.done.any() and step.crashed.tolist() == [True, False]
        assert (step.info["dense_reward"] > 0).tolist() == [False, True]
        assert (step.obs[STATE][0, :7] - obs[STATE][0, :7]).abs().max() < 2e-3
        step = env.step(still(env, obs))
        assert (step.info["dense_reward"] > 0).all() and not step.crashed.any()


def test_randomization_belongs_to_the_episode():
    wild = {
        "mass": 0.5,
        "friction": 0.3,
        "stiffness": 0.2,
        "latency_s": 0.04,
        "pause": 0.5,
        "joint_noise": 1e-3,
        "object_noise": 1e-3,
    }
    with make_env("franka/lift", 3, settings={"randomize": wild}) as env, make_env("franka/lift", 3) as plain:
        seen = [env.step(still(env, env.reset([5, 6, 7]))).obs for _ in range(2)]
        assert torch.equal(seen[0][STATE], seen[1][STATE])
        assert not torch.equal(seen[0][STATE], plain.step(still(plain, plain.reset([5, 6, 7]))).obs[STATE])
        snapshot = env.state()
        action = still(env, seen[1]) + 0.02
        expected = [env.step(action).obs for _ in range(3)]
        env.reset([8, 9, 10])
        env.restore(snapshot)
        assert all(torch.equal(env.step(action).obs[STATE], one[STATE]) for one in expected)


def test_a_robot_that_pauses_stands_when_it_looks():
    speeds = []
    for share in (0.0, 0.999):
        with make_env("franka/reach", 4, settings={"randomize": {"pause": share}}) as env:
            expert, obs, seen = registry.experts.load("franka")(env), env.reset([1, 2, 3, 4]), []
            for _ in range(5):
                obs = env.step(expert.act(obs)).obs
                seen.append(obs[STATE][:, 7:14].abs().amax(dim=1))
            speeds.append(torch.stack(seen[1:]))
    assert speeds[1].median() < 0.1 * speeds[0].median()


def test_a_late_action_comes_late():
    moved = []
    for latency in (0.0, 0.049):
        with make_env("franka/reach", 8, settings={"randomize": {"latency_s": latency}}) as env:
            obs = env.reset(list(range(8)))
            step = env.step(still(env, obs) + torch.tensor([0.02] * 7 + [0.0]))
            moved.append((step.obs[STATE] - obs[STATE])[:, :7].abs().mean(dim=1))
    assert (moved[1] <= moved[0] + 1e-6).all() and moved[1].mean() < 0.8 * moved[0].mean()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate_hz": 30.0}, "rate_hz=30 does not divide 500; try 20 or 50"),
        ({"randomize": {"masss": 0.1}}, "unknown randomization 'masss'; did you mean 'mass'"),
        ({"randomize": {"mass": 2.0}}, "randomize.mass must be at least 0 and below 1, is 2.0"),
        ({"randomize": {"latency_s": 0.05}}, "randomize.latency_s must be below one action's 0.05 s"),
    ],
)
def test_a_wrong_setting_says_so(settings, message):
    with pytest.raises(BurnishError, match=message):
        make_env("franka/lift", 1, settings=settings)


def test_an_unknown_task_is_answered_with_the_closest():
    with pytest.raises(UnknownNameError, match="did you mean 'franka/lift'"):
        make_env("franka/lif", 1)


@pytest.mark.parametrize("package", ["franky_sim", "mujoco"])
def test_missing_packages_are_named(package):
    code = (
        f"import sys; sys.modules['{package}'] = None\n"
        "from burnish.sim.base import make_env\n"
        "try: make_env('franka/lift', 1)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("BurnishError") and "burnish[franka-world]" in said


def test_it_can_be_drawn():
    with make_env("franka/lift", 2) as env:
        env.reset([1, 2])
        frames = env.render([0, 1], 96)
    assert frames.shape == (2, 96, 96, 3) and frames.float().std() > 10
    assert not torch.equal(frames[0], frames[1])
