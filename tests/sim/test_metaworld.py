"""Observations and success are Meta-World's own, bit for bit, in fresh and in much-used lanes."""

import warnings

import metaworld.policies
import numpy as np
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from scipy.spatial.transform import Rotation

from burnish.contract import STATE
from burnish.sim.metaworld import MetaWorld
from burnish.sim.metaworld_lane import BEST_REWARD, MAX_STEP_M, MetaWorldLane, normalized
from burnish.sim.metaworld_reset import MODEL_EDITS
from burnish.sim.metaworld_tasks import TASKS, matrix_to_quaternion

# One of each kind: body, site and geom positions; offsets; two objects; live goals; special success tests.
SOME = ("peg-insert-side", "basketball", "hammer", "stick-push", "window-close", "dial-turn", "assembly")


def original(task: str, seed: int):
    """Meta-World's environment, fresh, and its first observation."""
    env = ALL_V3_ENVIRONMENTS[f"{task}-v3"]()
    env._partially_observable, env._freeze_rand_vec = False, False
    env._set_task_called, env.seeded_rand_vec = True, True
    del env.sawyer_observation_space
    env.seed(seed)
    return env, env.reset()[0]


def played(lane: MetaWorldLane) -> np.ndarray:
    out = np.zeros(39)
    lane.observe({STATE: out})
    return out


def compare(task: str, seeds: dict[int, int], expert: bool, reward: bool = False) -> int:
    """Play seed → steps in one lane and in fresh originals; returns how many steps were a success."""
    lane, solved = MetaWorldLane(task), 0
    script = metaworld.policies.ENV_POLICY_MAP[f"{task}-v3"]()
    for seed, steps in seeds.items():
        env, expected = original(task, seed)
        lane.reset(seed)
        random = np.random.default_rng(seed)
        for _ in range(steps):
            np.testing.assert_array_equal(played(lane), expected)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                command = script.get_action(expected) if expert else random.uniform(-1, 1, 4)
            action = np.clip(command, -1, 1).astype(np.float32) * np.float32([MAX_STEP_M] * 3 + [1])
            success = lane.step(action)
            expected, theirs, _, _, info = env.step(np.array(normalized(action)))
            if reward:
                assert lane.dense_reward(action) == float(theirs) / BEST_REWARD
            assert success == bool(info["success"])
            solved += success
    return solved


@pytest.mark.parametrize("task", SOME)
def test_it_is_metaworld_bit_for_bit(task):
    compare(task, {3: 25, 4: 10}, expert=False)


def test_success_is_metaworlds():
    assert compare("reach", {5: 70}, expert=True) > 0


@pytest.mark.parametrize("task", ["peg-insert-side", "pick-place", "door-open"])
def test_the_dense_reward_is_a_tenth_of_metaworlds(task):
    compare(task, {3: 60, 4: 20}, expert=True, reward=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_metaworld_bit_for_bit(task):
    compare(task, {3: 150, 4: 20}, expert=False)
    assert compare(task, dict.fromkeys((5, 6, 7, 8), 250), expert=True) > 0


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_used_lane_is_a_fresh_one(task):
    used, fresh = MetaWorldLane(task), MetaWorldLane(task)
    before = {name: np.array(getattr(used.model, name)) for name in array_names(used.model)}
    for seed in range(4):
        used.reset(seed)
        for _ in range(10):
            used.step(np.full(4, 0.01, np.float32))
    edited = {name for name, value in before.items() if not np.array_equal(value, getattr(used.model, name))}
    assert edited <= set(MODEL_EDITS)
    used.reset(99)
    fresh.reset(99)
    for step in range(20):
        action = np.float32([0.01 * np.sin(step), 0.01, -0.01, 1])
        assert used.step(action) == fresh.step(action)
        np.testing.assert_array_equal(played(used), played(fresh))


def array_names(model) -> list[str]:
    return [name for name in dir(model) if isinstance(getattr(model, name, None), np.ndarray)]


def test_there_are_fifty_tasks():
    assert sorted(MetaWorld.tasks) == sorted(name.removesuffix("-v3") for name in ALL_V3_ENVIRONMENTS)
    assert len(MetaWorld.tasks) == 50


def test_quaternions_are_scipys():
    random = np.random.default_rng(0)
    for _ in range(300):
        matrix = Rotation.from_quat(random.normal(size=4)).as_matrix()
        expected = Rotation.from_matrix(matrix).as_quat()
        np.testing.assert_array_equal(matrix_to_quaternion(matrix.ravel().tolist()), expected)


def test_a_full_action_commands_one_centimetre():
    lane = MetaWorldLane("reach")
    lane.reset(0)
    before = lane.data.mocap_pos[0].copy()
    lane.step(np.float32([MAX_STEP_M, 0, 0, 0]))
    np.testing.assert_allclose(lane.data.mocap_pos[0] - before, [MAX_STEP_M, 0, 0], atol=1e-8)
