"""The Franka world on MuJoCo-Warp is the one on CPU threads: same episodes, same motion, same verdicts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from burnish import registry
from burnish.contract import ENVIRONMENT_STATE, IMAGES, STATE
from burnish.errors import BurnishError, UnknownNameError
from burnish.fr3 import DOWN
from burnish.sim.base import VecEnv, make_env
from burnish.sim.franka.bank import PARTS, save_bank
from burnish.sim.franka.halts import refused
from burnish.sim.franka.hand import Hands
from burnish.sim.franka.model import TIMESTEP_S, physics_model
from burnish.sim.franka.motion import HIGH, LOW, SetpointMotion
from burnish.sim.franka.scene import scene
from burnish.sim.franka.task import begin
from burnish.sim.franka.tasks import TASKS
from tests.sim.batches import (  # noqa: F401  (collected here)
    test_a_world_that_diverges_is_named_with_what_to_do,
    test_no_gpu_is_one_line,
    test_nobody_elses_random_numbers_change,
    test_only_flags_come_to_the_host,
)

WARP = {"backend": "warp", "device": "cpu"}
slow, patient = pytest.mark.slow, pytest.mark.timeout(900)
"""The first world of a kind compiles its kernels."""
WILD = {"mass": 0.5, "friction": 0.3, "stiffness": 0.2, "latency_s": 0.04}


@pytest.fixture(scope="module", params=[pytest.param(WARP, marks=[slow, patient], id="warp")])
def four(request: pytest.FixtureRequest):
    with make_env("franka/lift", 4, settings=request.param) as env:
        yield env


@pytest.fixture
def action(four: VecEnv) -> torch.Tensor:
    return four.reset([1, 2, 3, 4])[STATE][:, [*range(7), 14]]


@pytest.mark.parametrize("name", TASKS)
def test_tensors_are_judged_as_arrays_are(name):
    task, random = TASKS[name], np.random.default_rng(0)
    model, starts = physics_model(task), [begin(task, seed) for seed in range(50)]
    qpos, qvel = random.uniform(-1, 1, (50, model.nq)), random.uniform(-1, 1, (50, model.nv))
    qpos[:, :7] = [joints for _, joints in starts]
    if task.has_object:
        qpos[:, 9:16] = [start.place for start, _ in starts]
    target = np.array([start.target for start, _ in starts])
    arrays = scene(task, qpos, qvel, target)
    tensors = scene(task, *(torch.from_numpy(part) for part in (qpos, qvel, target)))
    for judge in (task.know, task.reward, task.solved):
        assert np.allclose(judge(tensors).numpy(), judge(arrays), atol=1e-12)


def test_tensors_are_refused_as_arrays_are():
    random = np.random.default_rng(0)
    setpoint = np.array(DOWN) + random.uniform(-0.8, 0.8, (200, 7))
    action = setpoint + random.uniform(-0.36, 0.36, (200, 7))
    found = refused(setpoint, action)
    assert 0 < found.sum() < 200
    assert np.array_equal(refused(torch.from_numpy(setpoint), torch.from_numpy(action)).numpy(), found)


def test_hands_of_tensors_move_as_hands_of_arrays():
    random, ticks, every = np.random.default_rng(0), 25, slice(None)
    arrays, tensors = Hands(8, ticks, TIMESTEP_S), Hands(8, ticks, TIMESTEP_S, _doubles)
    width = np.zeros(8)
    for _ in range(60):
        wish = np.round(random.uniform(0, 0.08, 8), 1)
        path = arrays.follow(every, wish, width)
        assert np.array_equal(tensors.follow(every, *map(torch.from_numpy, (wish, width))).numpy(), path)
        width = np.maximum(path[:, -1], 0.02)
        arrays.look(every, width)
        tensors.look(every, torch.from_numpy(width))
    assert np.array_equal(tensors.now.numpy(), arrays.now)


def test_the_kernel_moves_the_set_point_as_numpy_does():
    """Small steps, which the quintic takes, and wild ones, which joints pursue, up to the ends of their range."""
    from burnish.sim.tracer import start_warp

    wp = start_warp()
    from burnish.sim.franka import kernels

    lanes, ticks, random = 16, 25, np.random.default_rng(0)
    motion, aim = SetpointMotion(lanes, ticks, TIMESTEP_S), np.tile(DOWN, (lanes, 1))
    motion.now[0], motion.last[:] = DOWN, DOWN
    given = [kernels.joints("cpu"), kernels.joining(ticks, TIMESTEP_S, "cpu"), wp.float64(TIMESTEP_S)]
    now = wp.array(np.ascontiguousarray(motion.now.transpose(1, 0, 2)), dtype=kernels.Real)
    last, path = wp.array(motion.last, dtype=kernels.Real), wp.zeros((2, ticks, lanes, 7), dtype=kernels.Real)
    for count in range(150):
        wild = random.uniform(LOW - 0.2, HIGH + 0.2, (lanes, 7))
        jumps = random.random((lanes, 1)) < 0.1 * (count > 50)
        aim = np.where(jumps, wild, aim + random.uniform(-0.01, 0.01, (lanes, 7)))
        expected = motion.follow(slice(None), aim)
        action = wp.array(aim, dtype=kernels.Real)
        wp.launch(kernels.follow, (lanes, 7), [action, *given], [now, last, path], device="cpu")
        assert np.allclose(path.numpy(), expected, atol=1e-9)
        assert np.allclose(now.numpy().transpose(1, 0, 2), motion.now, atol=1e-6)


@slow
@patient
@pytest.mark.parametrize("drawn", [{}, WILD], ids=["certain", "uncertain"])
def test_the_same_actions_move_it_as_on_threads(drawn):
    """3 s of the arm alone, in single precision: within 0.1 mrad and 1 mrad/s. Lane 0 is asked for what halts it."""
    with (
        make_env("franka/reach", 8, settings={"randomize": drawn}) as threads,
        make_env("franka/reach", 8, settings=WARP | {"randomize": drawn}) as warp,
    ):
        seen = [env.reset(range(8)) for env in (threads, warp)]
        start, running = seen[0][STATE][:, [*range(7), 14]], [*range(8)]
        assert torch.equal(seen[0][STATE], seen[1][STATE])
        for count in range(60):
            action = start + 0.2 * math.sin(count / 8) * torch.linspace(-1, 1, 8)[:, None]
            action[:, 7], action[0, 0] = 0.08 * (count < 30), action[0, 0] + 0.36 * (count == 20)
            steps = [env.step(action, ids=running) for env in (threads, warp)]
            assert torch.equal(steps[0].done, steps[1].done) and torch.equal(steps[0].crashed, steps[1].crashed)
            expected, found = (step.obs[STATE] for step in steps)
            assert torch.allclose(found[:, :7], expected[:, :7], atol=1e-4)
            assert torch.allclose(found[:, 7:], expected[:, 7:], atol=1e-3)
            running = [lane for lane in running if not steps[0].done[lane]]
    assert 0 not in running and len(running) > 4


@slow
@patient
@pytest.mark.parametrize("name", TASKS)
def test_the_expert_solves_it(name):
    with make_env(f"franka/{name}", 20, settings=WARP) as env:
        assert solved(env, [*range(20)]).mean() >= 0.95


@slow
@patient
def test_the_expert_solves_it_with_what_is_uncertain():
    uncertain = {"mass": 0.3, "friction": 0.3, "stiffness": 0.1, "joint_noise": 1e-3, "object_noise": 2e-3}
    with make_env("franka/lift", 20, settings=WARP | {"randomize": uncertain}) as env:
        first = env.reset([*range(20)])
        assert torch.equal(first[STATE], env.reset([*range(20)])[STATE])
        assert solved(env, [*range(20)]).mean() >= 0.9


@slow
@patient
def test_an_episode_is_the_same_whatever_runs_beside_it(four: VecEnv):
    with make_env("franka/lift", 1, settings=WARP) as one:
        first = four.reset([4, 5, 6, 7])
        one.reset([6])
        action = first[STATE][:, [*range(7), 14]] + 0.02
        for _ in range(5):
            beside, by_itself = four.step(action).obs, one.step(action[2:3]).obs
        assert all(torch.equal(beside[key][2], by_itself[key][0]) for key in (STATE, ENVIRONMENT_STATE))


@slow
@patient
def test_episodes_begin_in_a_bank_of_the_other_world(tmp_path: Path):
    with make_env("franka/lift", 4) as env:
        expert, obs = registry.experts.load("franka")(env), env.reset([1, 2, 3, 4])
        for _ in range(40):
            obs = env.step(expert.act(obs)).obs
        states = [{part: state[f"lane/{part}"] for part in PARTS} for state in env.state()]
    save_bank(tmp_path / "bank", states, "lift", 20.0)
    with make_env("franka/lift", 4, settings=WARP | {"bank": tmp_path / "bank", "bank_share": 1.0}) as env:
        begun = env.reset([5, 6, 7, 8])[STATE]
        assert all(torch.isclose(one, obs[STATE], atol=1e-6).all(1).any() for one in begun)
        assert solved(env, [5, 6, 7, 8]).all()


@slow
@patient
def test_its_cameras_see_the_same():
    seen = []
    for settings in ({}, WARP):
        with make_env("franka/lift", 2, cameras=48, points=64, settings=settings) as env:
            env.reset([1, 2])
            seen.append(env.look([0, 1]))
            assert env.render([0, 1], 48).shape == (2, 48, 48, 3)
    assert seen[0].keys() == seen[1].keys() and f"{IMAGES}wrist" in seen[0]
    assert all(torch.allclose(seen[0][key].float(), seen[1][key].float(), atol=1e-5) for key in seen[0])


def test_an_engine_that_is_not_there_is_one_line():
    with pytest.raises(UnknownNameError, match="unknown backend of the Franka world 'wrap'; did you mean 'warp'"):
        make_env("franka/lift", 1, settings={"backend": "wrap"})
    with pytest.raises(BurnishError, match="backend='rollout' runs on a CPU, not on 'cuda'; take 'warp'"):
        make_env("franka/lift", 1, settings={"backend": "rollout", "device": "cuda"})


def solved(env: VecEnv, seeds: list[int]) -> np.ndarray:
    """(N,) bool, of the expert's episodes."""
    expert = registry.experts.load("franka")(env)
    obs, running = env.reset(seeds), [*range(env.num_envs)]
    expert.reset(running, seeds)
    found = np.zeros(env.num_envs, bool)
    while running:
        step = env.step(expert.act(obs), ids=running)
        obs = step.obs
        found |= step.info["success"].numpy()
        running = [lane for lane in running if not step.done[lane]]
    return found


def _doubles(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.float64)
