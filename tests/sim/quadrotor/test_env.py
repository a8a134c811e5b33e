"""What a user of the quadrotor's tasks relies on."""

import pytest
import torch

from burnish import registry
from burnish.contract import STATE
from burnish.errors import BurnishError, UnknownNameError
from burnish.real.quadrotor.limits import spec
from burnish.sim.base import make_env
from burnish.sim.quadrotor.dynamics import ARM, INERTIA, MASS, SPIN_UP, THRUST
from burnish.sim.quadrotor.noise import normal, uniform
from burnish.sim.quadrotor.vehicles import Fleet


@pytest.mark.parametrize("task", ["hover", "track", "waypoints", pytest.param("race", marks=pytest.mark.slow)])
def test_an_expert_flies_most_of_the_fleet(task):
    with make_env(f"quadrotor/{task}", 32, dense_reward=True) as env:
        expert = registry.experts.load("quadrotor")(env)
        obs, running = env.reset(range(32)), list(range(32))
        solved = crashed = 0
        while running:
            step = env.step(expert.act(obs), ids=running)
            obs = step.obs
            solved, crashed = solved + int(step.terminated.sum()), crashed + int(step.info["crashed"].sum())
            assert ((step.info["dense_reward"] >= 0) & (step.info["dense_reward"] <= 1)).all()
            running = [lane for lane in running if not step.done[lane]]
    assert solved >= 20 and crashed <= 2


def test_what_is_trained_here_fits_the_driver():
    with make_env("quadrotor/hover", 1) as env:
        spec("motors").check(env.contract.only([STATE]), here="policy")


def test_a_lane_does_not_depend_on_how_many_there_are():
    with make_env("quadrotor/hover", 1) as one, make_env("quadrotor/hover", 40) as many:
        one.reset([7])
        many.reset(range(40))
        for _ in range(30):
            a, b = one.step(torch.full((1, 4), 0.5)), many.step(torch.full((40, 4), 0.5))
        assert torch.allclose(a.obs[STATE][0], b.obs[STATE][7], atol=1e-4)


def test_by_ratio_more_of_the_fleet_is_sluggish_and_all_else_as_it_was():
    even, ratio = (Fleet(by_ratio=flag).draw(torch.arange(4000)) for flag in (False, True))
    sluggish = [(2**0.5 * v[ARM] * v[THRUST] / v[INERTIA.start] < 124).float().mean() for v in (even, ratio)]
    assert sluggish[0] == pytest.approx(84 / 1160, abs=0.02) and sluggish[1] == pytest.approx(1 / 3, abs=0.03)
    assert torch.equal(even[MASS], ratio[MASS]) and torch.equal(even[SPIN_UP], ratio[SPIN_UP])
    with pytest.raises(BurnishError, match="above 0"):
        Fleet(by_ratio=True, torque_to_inertia=(0.0, 100.0))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("task", ["hover", "race"])
def test_a_compiled_world_is_the_same_world(task):
    """Through ends of episodes, and with lanes that rest."""
    plain, compiled = (
        make_env(f"quadrotor/{task}", 64, horizon=20, auto_reset=True, dense_reward=True, settings={"compiled": flag})
        for flag in (False, True)
    )
    with plain, compiled:
        generator = torch.Generator().manual_seed(0)
        plain.reset(range(64))
        compiled.reset(range(64))
        for moment in range(45):
            action = torch.rand(64, 4, generator=generator)
            ids = None if moment % 5 else range(0, 64, 2)
            one, other = plain.step(action, ids=ids), compiled.step(action, ids=ids)
            assert torch.equal(one.done, other.done)
            for key, value in one.obs.items():
                assert torch.allclose(value, other.obs[key], atol=1e-4)
            assert torch.allclose(one.info["dense_reward"], other.info["dense_reward"], atol=1e-4)


def test_it_crashes_and_says_so():
    with make_env("quadrotor/hover", 2, settings={"vehicle": "crazyflie"}) as env:
        env.reset([1, 2])
        step = None
        for _ in range(100):
            step = env.step(torch.zeros(2, 4))
            if step.done.any():
                break
        assert step is not None and step.truncated.any() and torch.equal(step.truncated, step.info["crashed"])
        assert not step.info["success"].any()


def test_a_flight_that_is_nowhere_has_crashed():
    with make_env("quadrotor/hover", 3) as env:
        env.reset([1, 2, 3])
        env.flights.state[:, 1] = torch.nan
        step = env.step(torch.full((3, 4), 0.5))
        assert step.info["crashed"].tolist() == [False, True, False] and step.truncated[1]


def test_a_frame_shows_the_quadrotor_and_its_goal():
    with make_env("quadrotor/race", 3) as env:
        env.reset([1, 2, 3])
        frames = env.render([0, 2], 64)
        assert frames.shape == (2, 64, 64, 3) and frames.dtype == torch.uint8
        assert not torch.equal(frames[0], frames[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vehicle": "x50"}, "unknown quadrotor 'x50'; did you mean 'x500'"),
        ({"fleet": {"mas": (1, 2)}}, "did you mean 'mass'"),
        ({"fleet": {"mass": (2.0, 1.0)}}, r"mass must be a range of numbers from 0 on, is \(2.0, 1.0\)"),
        ({"fleet": {"latency": (0.0, 0.5)}}, "at most a step, 0.01 s, late"),
        ({"noise": -1.0}, "noise and pushed must be 0 or more"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises((BurnishError, UnknownNameError), match=message):
        make_env("quadrotor/hover", 1, settings=settings)


def test_random_numbers_are_uniform_normal_and_independent_of_neighbours():
    seed = torch.arange(2000)
    even, bell = uniform(seed, 3, 50), normal(seed, 3, 50)
    assert abs(even.mean() - 0.5) < 0.01 and abs(even.var() - 1 / 12) < 0.002
    assert abs(bell.mean()) < 0.02 and abs(bell.std() - 1) < 0.01
    assert abs(torch.corrcoef(bell[:2])[0, 1]) < 0.08 and abs(torch.corrcoef(bell[:, :2].T)[0, 1]) < 0.5
    assert torch.equal(uniform(seed[5:6], 3, 50)[:, 0], even[:, 5])
