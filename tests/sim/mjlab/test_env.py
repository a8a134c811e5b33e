"""mjlab behind the contract: nothing but flags leaves the device, and every task says when it is solved."""

from __future__ import annotations

import math

import pytest
import torch

from burnish import registry
from burnish.contract import STATE
from burnish.errors import BurnishError
from burnish.sim.base import make_env
from burnish.sim.mjlab.about import MOTION
from burnish.sim.mjlab.tasks import HELD_STEPS, TASKS, Followed, Walked
from burnish.sim.randomize import Draw, Randomization
from tests.sim.batches import (  # noqa: F401  (collected here)
    test_a_world_that_diverges_is_named_with_what_to_do,
    test_no_gpu_is_one_line,
    test_nobody_elses_random_numbers_change,
    test_only_flags_come_to_the_host,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first world of a kind compiles its kernels
BALANCE = "mjlab/Cartpole-Balance"


@pytest.fixture(scope="module")
def poles():
    with make_env(BALANCE, 4, horizon=HELD_STEPS + 1, settings={"device": "cpu"}) as env:
        yield env


@pytest.fixture
def four(poles):
    return poles


@pytest.fixture
def action():
    return torch.zeros(4, 1)


def test_mjlab_has_the_tasks_that_are_listed():
    import mjlab.tasks  # noqa: F401
    from mjlab.tasks.registry import list_tasks

    assert {f"Mjlab-{name}" for name in TASKS} == {*list_tasks()}


def test_a_pole_that_is_held_counts_and_one_that_is_let_go_does_not(poles):
    """Lanes 0 and 1 are held, 2 and 3 pushed over: their outcome is known."""
    expert = registry.experts.load("mjlab")(poles)
    obs, solved = poles.reset([1, 2, 3, 4]), torch.zeros(4, dtype=torch.bool)
    running = [0, 1, 2, 3]
    for count in range(HELD_STEPS + 1):
        action = expert.act(obs)
        action[2:] = 1.0
        step = poles.step(action, ids=running)
        obs, solved = step.obs, solved | step.info["success"]
        running = [lane for lane in running if not step.done[lane]]
        assert solved.tolist() == [count + 1 >= HELD_STEPS] * 2 + [False] * 2
    assert step.truncated.tolist() == [False, False, True, True]
    fallen = step.info["final_obs"][STATE]
    assert fallen[2, 1] < math.cos(0.2)


def test_a_motion_that_is_missing_is_one_line(monkeypatch):
    monkeypatch.delenv(MOTION, raising=False)
    with pytest.raises(BurnishError, match=f"export {MOTION}=FILE.npz"):
        make_env("mjlab/Tracking-Flat-Unitree-G1", 1)


def test_whoever_walks_as_commanded_has_walked():
    class Term:
        command = torch.tensor([[1.0, 0.0, 0.0]] * 2)
        root_link_lin_vel_b = torch.tensor([[0.9, 0.0, 0.0], [0.2, 0.0, 0.0]])

        def get_term(self, _):
            return self

    term = Term()
    term.command_manager = term.robot = term.data = term
    verdict, last = Walked(2, "cpu"), torch.ones(2, dtype=torch.bool)
    assert not verdict.judge(term, ~last).any()
    assert verdict.judge(term, last).tolist() == [True, False]
    verdict.begin(torch.tensor([1]))
    assert verdict.steps.tolist() == [2, 0]
    assert Followed(2, "cpu").judge(term, last).all()


@pytest.mark.parametrize("name", [name for name in TASKS if not name.startswith("Tracking")])
def test_every_task_steps(name):
    with make_env(f"mjlab/{name}", 2, auto_reset=True, horizon=3, dense_reward=True, settings={"device": "cpu"}) as env:
        obs = env.reset([1, 2])
        for _ in range(4):
            step = env.step(torch.zeros(2, *env.contract.action.shape))
        looked = env.look([0, 1])
        for key, field in env.contract.observation.items():
            value = (looked if key in env.contract.looks else obs)[key]
            assert value.shape == (2, *field.shape) and str(value.dtype) == f"torch.{field.dtype}"
        assert step.info["dense_reward"].shape == (2,)


def test_every_episode_has_an_object_of_its_own():
    asked = {"mass": 0.5, "friction": 0.3}
    with make_env("mjlab/Lift-Cube-Yam", 3, settings={"device": "cpu", "randomize": asked}) as env:
        env.reset([0, 1, 2])
        rows = [lane["rows"] for lane in env.state()]
        env.reset([0], ids=[2])
        again = env.state()[2]["rows"]
    for field, factor in (("body_mass", "mass"), ("geom_friction", "friction")):
        found = torch.cat([row[f"model.{field}"] for row in rows])
        drawn = [getattr(Draw(Randomization.of(asked), seed), factor) for seed in range(3)]
        first = found.reshape(*found.shape[:2], -1)[:, :, 0]
        own = torch.isclose(first / first[0], torch.tensor(drawn)[:, None].float() / drawn[0]).all(0)
        assert own.any()  # the cube's; others, mjlab's own events may change
        assert torch.equal(again[f"model.{field}"][0, own], rows[0][f"model.{field}"][0, own])
