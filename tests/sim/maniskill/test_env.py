"""ManiSkill behind the contract: every listed task is what it is said to be."""

from __future__ import annotations

import pytest
import torch

from burnish.datasets.experts.maniskill import ManiSkillExpert
from burnish.errors import UnknownNameError
from burnish.sim.base import make_env
from burnish.sim.maniskill.tasks import TASKS
from burnish.sim.raytrace import RenderError
from burnish.sim.vulkan import CPU, TOO_OLD, Device, Vulkan, devices, judge

needs_driver = [pytest.mark.slow, pytest.mark.needs("vulkan")]


def test_a_driver_that_is_missing_or_too_old_is_told_with_what_to_install():
    debian, mesa_25 = Device("llvmpipe", CPU, TOO_OLD), Device("llvmpipe", CPU, (1, 4, 305))
    for found in ([], [debian]):
        lack = judge(found)
        assert lack and "apt-get install -t bookworm-backports mesa-vulkan-drivers" in lack.mend
    assert lack.what == "its Vulkan driver (llvmpipe, Vulkan 1.3.230) is too old for SAPIEN"
    assert judge([mesa_25]) is judge([debian, mesa_25]) is None
    assert judge([Device("a GPU", 2, (1, 3, 0))]) is None


def test_this_machine_is_looked_at():
    assert Vulkan().lack() == judge(devices())


@pytest.mark.parametrize("task", [pytest.param(task, marks=needs_driver) for task in TASKS])
def test_every_task_steps_and_is_what_is_said_of_it(task):
    with make_env(f"maniskill/{task}", 1, dense_reward=True) as env:
        obs = env.reset([1])
        step = env.step(torch.zeros(1, TASKS[task].action))
        for key, field in env.contract.observation.items():
            assert obs[key].shape == (1, *field.shape) and torch.isfinite(step.obs[key]).all()
        assert 0 <= step.info["dense_reward"] <= 1 and not step.info["success"]


@pytest.mark.slow
@pytest.mark.needs("vulkan")
def test_the_expert_pushes_the_cube_although_it_is_disturbed():
    with make_env("maniskill/PushCube-v1", 6) as env:
        expert = ManiSkillExpert(env, noise=0.1, push_steps=6)
        obs, running, solved = env.reset(range(6)), [*range(6)], 0
        expert.reset(running, running)
        while running:
            step = env.step(expert.act(obs), ids=running)
            obs, solved = step.obs, solved + int(step.info["success"].sum())
            running = [lane for lane in running if not step.done[lane]]
        assert solved >= 5
        with pytest.raises(RenderError, match="not filmed"):
            env.render([0], 64)


@pytest.mark.slow
@pytest.mark.needs("vulkan")
def test_an_unknown_task_gets_the_closest():
    with pytest.raises(UnknownNameError, match="did you mean 'maniskill/StackCube-v1'"):
        make_env("maniskill/StackCube", 1)
