"""A LIBERO lane gives the very numbers of LIBERO's own environment."""

import numpy as np
import pytest

from burnish.contract import ENVIRONMENT_STATE, STATE, TASK, decode_text
from burnish.errors import BurnishError
from burnish.sim.libero.env import Libero
from burnish.sim.libero.lane import LiberoLane, axis_angle
from burnish.sim.libero.quiet import quiet
from burnish.sim.libero.starts import Start, address
from burnish.sim.libero.suites import select

NOTHING = [0, 0, 0, 0, 0, 0, -1]


def original(name: str, state: int, placement: int):
    """LIBERO's environment at the start of an episode, as its own evaluation begins it."""
    (task,) = select(name)
    with quiet():
        from libero.libero.envs.env_wrapper import ControlEnv

        env = ControlEnv(str(task.bddl), use_camera_obs=False, has_offscreen_renderer=False)
        np.random.seed(placement)
        env.reset()
        env.set_init_state(task.load_init_states()[state])
        for _ in range(10):
            obs = env.step(NOTHING)[0]
    return env, obs


def proprioception(obs) -> np.ndarray:
    x, y, z, w = obs["robot0_eef_quat"]
    return np.concatenate([obs["robot0_eef_pos"], axis_angle(np.array([w, x, y, z])), obs["robot0_gripper_qpos"]])


def observed(lane: LiberoLane) -> dict[str, np.ndarray]:
    out = {STATE: np.zeros(8), ENVIRONMENT_STATE: np.zeros(lane._goals.size), TASK: np.zeros(128, np.uint8)}
    lane.observe(out)
    return out


@pytest.mark.parametrize(("name", "placement"), [("object/0", 7), ("goal/4", 3)])
def test_a_trajectory_is_liberos_bit_for_bit(name, placement):
    env, obs = original(name, 2, placement)
    lane = LiberoLane(name)
    lane.reset(address(Start(0, 2, placement)))
    assert np.array_equal(observed(lane)[STATE], proprioception(obs))
    random = np.random.default_rng(0)
    for _ in range(60):
        action = random.uniform(-1, 1, 7).astype(np.float32)
        action[2] = -abs(action[2])  # down, into things
        with quiet():
            obs, _, done, _ = env.step(action.astype(float))
        assert lane.step(action) == done
        assert np.array_equal(lane._data.qpos, env.sim.data.qpos)
        assert np.array_equal(observed(lane)[STATE], proprioception(obs))


def test_the_environment_state_says_where_the_goals_things_are():
    env, obs = original("object/0", 0, 7)
    lane = LiberoLane("object/0")
    lane.reset(address(Start(0, 0, 7)))
    found = observed(lane)
    goal = found[ENVIRONMENT_STATE][:20]
    assert np.allclose(goal[:3], obs["alphabet_soup_1_pos"])
    assert np.allclose(goal[9:12], obs["alphabet_soup_1_pos"] - found[STATE][:3])
    basket = env.sim.data.get_site_xpos("basket_1_contain_region")
    assert np.allclose(goal[12:15], basket - obs["alphabet_soup_1_pos"], atol=1e-4)
    floor = env.sim.data.get_site_xpos("floor_target_object_region")
    assert np.allclose(goal[15:18], floor - obs["alphabet_soup_1_pos"], atol=1e-4)
    assert goal[19] == 0 and not found[ENVIRONMENT_STATE][20:].any()
    assert decode_text(found[TASK]) == "pick up the alphabet soup and place it in the basket"


def test_a_bowl_in_a_drawer_is_told_where_the_drawer_is():
    lane = LiberoLane("spatial/4")
    lane.reset(address(Start(0, 0, 7)))
    drawer = lane._data.site("wooden_cabinet_1_top_region").xpos
    goal = observed(lane)[ENVIRONMENT_STATE]
    assert np.allclose(goal[:3] + goal[15:18], drawer, atol=1e-3)


def test_a_lane_moves_between_tasks_without_a_trace():
    lane = LiberoLane("object")
    lane.reset(address(Start(1, 4, 7)))
    lane.step(np.ones(7, np.float32))
    expected = lane.state()
    lane.reset(address(Start(0, 0, 7)))
    lane.reset(address(Start(1, 4, 7)))
    lane.step(np.ones(7, np.float32))
    assert all(np.array_equal(value, expected[name]) for name, value in lane.state().items())


def test_another_placement_moves_the_furniture():
    lane = LiberoLane("goal/7")
    lane.reset(address(Start(0, 0, 7)))
    before = observed(lane)[ENVIRONMENT_STATE][:3]
    lane.reset(address(Start(0, 0, 1)))
    assert 0 < np.abs(observed(lane)[ENVIRONMENT_STATE][:3] - before).max() < 0.05


def test_a_start_that_is_not_there_is_named():
    lane = LiberoLane("object/0")
    with pytest.raises(BurnishError, match="init states 0 … 49, not 50"):
        lane.reset(address(Start(0, 50, 7)))
    with pytest.raises(BurnishError, match="task 3"):
        lane.reset(address(Start(3, 0, 7)))


def test_a_chain_is_solved_when_both_goals_hold():
    lane = LiberoLane("chains-held-out/0")  # turn on the stove and put the bowl on the stove
    lane.reset(address(Start(0, 0, 7)))
    assert lane._scene.goals == [["turnon", "flat_stove_1"], ["on", "akita_black_bowl_1", "flat_stove_1_cook_region"]]
    stove = lane._scene.joint("flat_stove_1")
    for value, solved in ((0.0, False), (0.6, True)):
        lane._data.qpos[stove] = value
        assert not lane.step(np.array(NOTHING, np.float32))
        assert observed(lane)[ENVIRONMENT_STATE].reshape(6, 20)[:, -1].tolist() == [solved, 0, 0, 0, 0, 0]


def test_only_the_instruction_tells_one_pair_from_another():
    seen = {}
    for task in range(2):  # both begin with the stove, and so with the same init states
        lane = LiberoLane("chains")
        lane.reset(address(Start(task, 3, 7)))
        seen[task] = observed(lane)
    assert (seen[0].pop(TASK) != seen[1].pop(TASK)).any()
    for key, value in seen[0].items():
        np.testing.assert_array_equal(value, seen[1][key])
    assert seen[0][ENVIRONMENT_STATE].reshape(6, 20)[:, :3].any(1).all()


@pytest.mark.parametrize(("name", "slots"), [("chains", 6), ("chains-held-out/1", 6), ("goal/8", 1)])
def test_goals_that_are_all_described_are_slots(name, slots):
    with Libero(name, num_envs=1) as env:
        assert env.contract.observation[ENVIRONMENT_STATE].slots == slots
