"""What every registered environment promises: one test over all of them."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from burnish import registry
from burnish.errors import BurnishError, NonFiniteError, UnknownNameError
from burnish.sim.agents import RandomAgent
from burnish.sim.base import VecEnv, make_env, next_seed
from tests.sim.calm import calm

LANES, HORIZON = 3, 6
ELSEWHERE = {"isaaclab": "tests/sim/isaaclab/test_interpreter.py"}
"""Those that share an interpreter with no other, and what runs these tests in theirs."""
BACKENDS = {"franka-warp": ("franka", {"backend": "warp", "device": "cpu"})}
"""Other engines of a simulator: whose they are, and the settings that choose them."""
NAMES = [name for name in registry.environments.names() if name not in ELSEWHERE or find_spec(name)] + [*BACKENDS]
MARKS = {
    "franka-warp": [pytest.mark.slow],
    "mjlab": [pytest.mark.slow],
    "isaaclab": [pytest.mark.slow],
    "maniskill": [pytest.mark.slow, pytest.mark.needs("vulkan")],
}
"""Those that compile their kernels first, or want a driver that Debian does not ship, are not tested by default."""
SIMULATORS = [pytest.param(name, marks=MARKS.get(name, [])) for name in NAMES]
COSTLY = {"robosuite": [pytest.mark.slow]}
"""Of which no worker processes are tested by default: robosuite has LIBERO's."""
POOLS = [pytest.param(name, marks=(MARKS | COSTLY | {"libero": [pytest.mark.slow]}).get(name, [])) for name in NAMES]
"""For what a pool of workers does by itself, whatever it steps: Meta-World's is LIBERO's too."""


def of(simulator: str) -> tuple[str, dict]:
    """The name it is registered by, and the settings it wants."""
    return BACKENDS.get(simulator, (simulator, {}))


def task_of(simulator: str) -> str:
    name, _ = of(simulator)
    return f"{name}/{registry.environments.load(name).tasks[0]}"


def make(simulator: str, workers: int = 0, **options) -> VecEnv:
    given = {"horizon": HORIZON, "settings": of(simulator)[1]} | options
    return make_env(task_of(simulator), LANES, workers=workers, **given)


def another(env: VecEnv) -> VecEnv:
    """Of the same kind, in this process alone."""
    return make_env(env.task, LANES, horizon=HORIZON, settings=env.settings)


def actions(env: VecEnv, steps: int, seed: int = 0) -> list[torch.Tensor]:
    agent = RandomAgent(env.contract, env.num_envs)
    agent.reset(range(env.num_envs), range(seed, seed + env.num_envs))
    return [calm(env.task, agent.act({})) for _ in range(steps)]


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def opened(auto_reset: bool):
    def fixture(request):
        simulator, workers = request.param
        with make(simulator, workers, auto_reset=auto_reset) as env:
            yield env

    kinds = [
        pytest.param(
            (name, workers),
            marks=(MARKS | (COSTLY if workers else {})).get(name, []),
            id=f"{name}-{workers}",
        )
        for name in NAMES
        for workers in (0, 2)
    ]
    # One for all tests: what one of them leaves behind must not matter to the next.
    return pytest.fixture(fixture, scope="module", params=kinds)


env = opened(auto_reset=False)
resetting = opened(auto_reset=True)


def test_shapes_and_types_are_those_of_the_contract(env):
    obs = env.reset([1, 2, 3])
    step = env.step(actions(env, 1)[0])
    for found in (obs, step.obs, step.info["final_obs"]):
        assert found.keys() == env.contract.observation.keys()
        for key, field in env.contract.observation.items():
            assert found[key].shape == (LANES, *field.shape)
            assert str(found[key].dtype) == f"torch.{field.dtype}"
            assert torch.isfinite(found[key]).all()
    assert step.reward.shape == (LANES,) and step.reward.dtype == torch.float32
    for flags in (step.terminated, step.truncated, step.info["success"]):
        assert flags.shape == (LANES,) and flags.dtype == torch.bool
    assert (env.num_envs, env.max_episode_steps) == (LANES, HORIZON)
    assert env.task.partition("/")[2] in env.tasks


def test_an_episode_depends_on_its_seed_and_actions_alone(env):
    plan = actions(env, 4)
    first = [env.reset([11, 12, 13])] + [env.step(action).obs for action in plan]
    env.reset([5, 6, 7])
    env.step(plan[0] * 0.5)
    again = [env.reset([11, 12, 13])] + [env.step(action).obs for action in plan]
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not same(first[0], env.reset([21, 22, 23]))


def test_the_number_of_workers_changes_nothing(env):
    with another(env) as other:
        assert same(env.reset([1, 2, 3]), other.reset([1, 2, 3]))
        for action in actions(env, HORIZON):
            a, b = env.step(action), other.step(action)
            assert same(a.obs, b.obs) and torch.equal(a.done, b.done)


def test_results_belong_to_the_caller(env):
    obs = env.reset([1, 2, 3])
    kept = {key: value.clone() for key, value in obs.items()}
    for action in actions(env, 3):
        env.step(action)
    assert same(obs, kept)


def test_reset_of_some_lanes_leaves_the_others(env):
    env.reset([1, 2, 3])
    before = env.step(actions(env, 1)[0]).obs
    after = env.reset([9], ids=[1])
    for key, value in after.items():
        assert torch.equal(value[[0, 2]], before[key][[0, 2]])
    assert any(not torch.equal(value[1], before[key][1]) for key, value in after.items())


def test_lanes_not_asked_stand_still(env):
    before = env.reset([1, 2, 3])
    step = env.step(actions(env, 1)[0], ids=[2])
    for key, value in step.obs.items():
        assert torch.equal(value[:2], before[key][:2])
    assert any(not torch.equal(value[2], before[key][2]) for key, value in step.obs.items())
    assert not step.done[:2].any() and not step.reward[:2].any()


def test_episodes_end_at_the_horizon_and_wait_for_a_reset(env):
    env.reset([1, 2, 3])
    for count, action in enumerate(actions(env, HORIZON), start=1):
        step = env.step(action)
        assert torch.equal(step.truncated, torch.full((LANES,), count == HORIZON))
    assert not step.terminated.any() and same(step.obs, step.info["final_obs"])
    with pytest.raises(BurnishError, match=r"lanes \[0, 1, 2\] have ended; reset"):
        env.step(action)
    env.reset([4], ids=[1])
    env.step(action, ids=[1])


def chunked(env: VecEnv, steps: int) -> torch.Tensor:
    return torch.stack(actions(env, steps), dim=1)


def test_a_chunk_is_its_steps_one_after_the_other(env):
    chunk = chunked(env, HORIZON - 2)
    env.reset([1, 2, 3])
    env.step(chunk[:, 0], ids=[2])
    for action in chunk.unbind(1):
        last = env.step(action, ids=[0, 2])
    env.reset([1, 2, 3])
    env.step(chunk[:, 0], ids=[2])
    whole = env.step_chunk(chunk, ids=[0, 2])
    assert same(whole.obs, last.obs) and not whole.done.any()
    assert whole.info["steps"].tolist() == [HORIZON - 2, 0, HORIZON - 2]
    end = env.step_chunk(chunk, ids=[2])
    assert end.done.tolist() == [False, False, True]
    assert end.info["steps"].tolist() == [0, 0, 1]
    other = env.step_chunk(chunk[:, :2], ids=[0])
    assert other.info["steps"].tolist() == [2, 0, 0]
    assert other.done.tolist() == [True, False, False]  # what ended before is not told again
    with pytest.raises(BurnishError, match=r"lanes \[0\] have ended"):
        env.step_chunk(chunk, ids=[0, 1])
    chunk[1, 2] = torch.nan
    with pytest.raises(NonFiniteError, match="lane 1"):
        env.step_chunk(chunk, ids=[1])
    with pytest.raises(BurnishError, match="a chunk of shape"):
        env.step_chunk(chunk[:, :0])


def test_auto_reset_starts_the_next_seed_in_the_same_step(resetting):
    env = resetting
    env.reset([1, 2, 3])
    env.step(actions(env, 1)[0], ids=[0])
    for action in actions(env, HORIZON - 1):
        step = env.step(action)
    assert step.truncated.tolist() == [True, False, False]
    fresh = env.reset([next_seed(1)], ids=[0])
    final = step.info["final_obs"]
    for key, value in step.obs.items():
        assert torch.equal(value[0], fresh[key][0])
        assert torch.equal(final[key][1:], value[1:])
    assert any(not torch.equal(final[key][0], value[0]) for key, value in step.obs.items())


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_success_ends_the_episode_with_a_reward(simulator):
    with make(simulator, horizon=None) as env:
        expert = registry.experts.load(of(simulator)[0])(env)
        obs, running = env.reset([1, 2, 3]), [0, 1, 2]
        expert.reset(running, [1, 2, 3])
        solved = 0
        while running:
            step = env.step(expert.act(obs), ids=running)
            obs = step.obs
            assert torch.equal(step.terminated, step.info["success"])
            assert torch.equal(step.reward, step.terminated.float())
            solved += int(step.terminated.sum())
            running = [lane for lane in running if not step.done[lane]]
    assert solved > 0


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_dense_reward_is_told_where_there_is_one_and_never_changes_what_happens(simulator):
    if not registry.environments.load(of(simulator)[0]).has_dense_reward:
        with pytest.raises(BurnishError, match=f"{simulator} has no reward but success"):
            make(simulator, dense_reward=True)
        return
    with make(simulator) as plain, make(simulator, dense_reward=True) as env:
        assert same(plain.reset([1, 2, 3]), env.reset([1, 2, 3]))
        found = []
        for action in actions(env, 3):
            a, b = plain.step(action, ids=[0, 2]), env.step(action, ids=[0, 2])
            assert same(a.obs, b.obs) and torch.equal(a.reward, b.reward)
            assert "dense_reward" not in a.info
            found.append(b.info["dense_reward"])
    assert all(one.shape == (LANES,) and one.dtype == torch.float32 and torch.isfinite(one).all() for one in found)
    assert all(one[1] == 0 for one in found)
    assert not torch.equal(found[0], found[-1])


def test_what_follows_a_restore_is_what_followed_the_snapshot(env):
    plan = actions(env, HORIZON)
    env.reset([1, 2, 3])
    for action in plan[:2]:
        env.step(action)
    snapshot = env.state()
    expected = [env.step(action) for action in plan[2:]]
    env.reset([7, 8, 9])
    env.restore(snapshot)
    found = [env.step(action) for action in plan[2:]]
    assert all(same(a.obs, b.obs) and torch.equal(a.done, b.done) for a, b in zip(expected, found, strict=True))
    with another(env) as fresh:
        fresh.restore(snapshot)
        assert same(fresh.step(plan[2]).obs, expected[0].obs)


def test_a_bad_action_is_refused_with_its_lane(env):
    before = env.reset([1, 2, 3])
    action = actions(env, 1)[0]
    action[1, 0] = float("nan")
    with pytest.raises(NonFiniteError, match="lane 1"):
        env.step(action)
    assert same(env.step(torch.nan_to_num(action), ids=[]).obs, before)
    with pytest.raises(BurnishError, match="shape"):
        env.step(action[:2])


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_lane_that_was_never_reset_says_so(simulator):
    with make(simulator) as env, pytest.raises(BurnishError, match="reset these lanes first"):
        env.step(actions(env, 1)[0])


@pytest.mark.parametrize("simulator", POOLS)
def test_closing_twice_is_fine(simulator):
    for workers in (0, 2):
        env = make(simulator, workers)
        env.close()
        env.close()


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_an_unknown_task_is_answered_with_the_closest(simulator):
    task = task_of(simulator)
    with pytest.raises(UnknownNameError, match=f"unknown task '{task}x'; did you mean '{task}'"):
        make_env(f"{task}x", 1)


ORPHANS = """
import json, os, sys, time
from burnish.sim.base import make_env
if __name__ == "__main__":
    env = make_env(sys.argv[1], 3, workers=2, settings=json.loads(sys.argv[2]))
    env.reset([1, 2, 3])
    print(*[one.process.pid for one in getattr(getattr(env, "_pool", None), "_workers", [])], flush=True)
    time.sleep(100)
"""


THREADED = ("franka", "franka-warp", "isaaclab", "mjlab", "quadrotor", "unitree")
"""Whose workers are threads (or lanes of one tensor), which die with their process anyway."""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("simulator", POOLS)
def test_workers_die_with_their_parent(simulator):
    words = [sys.executable, "-c", ORPHANS, task_of(simulator), json.dumps(of(simulator)[1])]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert bool(workers) != (simulator in THREADED)
    assert all(alive(pid) for pid in workers)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_do_not_load_torch():
    code = "import sys, burnish.sim.worker, burnish.sim.metaworld_lane; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
