"""LIBERO as the field evaluates it: which start each episode is, and the same episodes whatever the machine."""

import dataclasses

import pytest

from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.agents import RandomAgent
from burnish.sim.base import make_env
from burnish.sim.evaluate import evaluate
from burnish.sim.libero.starts import start_of
from burnish.sim.protocols import protocol, protocols


def one(name, *args):
    (found,) = protocols(name, *args)
    return found


def starts(found):
    return [start_of(found.episode_seed(e), 10) for e in range(found.episodes)]


def test_ten_tasks_from_fifty_init_states():
    found = one("libero/object")
    assert (found.name, found.episodes, found.horizon, found.replan) == ("libero-openpi", 500, 280, 5)
    assert [start[:2] for start in starts(found)] == [(task, state) for task in range(10) for state in range(50)]
    # openpi furnishes the first episode of each task with NumPy's seed 7.
    assert starts(found)[0].placement == 7 == starts(found)[50].placement


def test_some_trials_from_a_later_one():
    found = one("libero/object", 20, 30)
    assert [start[:2] for start in starts(found)] == [(task, state) for task in range(10) for state in range(30, 50)]
    whole = one("libero/object")
    assert [found.noise_seed(e) for e in (0, 19, 20)] == [whole.noise_seed(e) for e in (30, 49, 80)]


def test_a_task_alone_has_the_episodes_it_has_in_its_suite():
    alone, whole = one("libero/spatial/3", 5), one("libero/spatial", 5)
    for episode in range(5):
        here, there = alone.describe(episode), whole.describe(15 + episode)
        assert here == there and here["task"] == "libero/spatial/3" and here["trial"] == episode
        assert alone.noise_seed(episode) == whole.noise_seed(15 + episode)


def test_noise_differs_in_the_bits_that_generators_read():
    found = one("libero/object")
    assert len({found.noise_seed(e) & 0xFFFFFFFF for e in range(500)}) == 500
    assert one("libero/object", None, 0, 1).noise_seed(0) != found.noise_seed(0)


def test_all130_is_five_suites_with_horizons_of_their_own():
    found = protocols("libero/all130")
    assert [part.horizon for part in found] == [220, 280, 300, 520, 400]
    assert sum(part.episodes for part in found) == 130 * 50


def test_lerobot_starts_again_where_the_init_states_end():
    found = one("libero-lerobot/spatial", 60)
    assert (found.horizon, found.replan) == (280, None)
    assert [starts(found)[trial].state for trial in (0, 49, 50, 59)] == [0, 49, 0, 9]
    assert [starts(found)[trial].placement for trial in (0, 50)] == [1000, 1050]


def test_rlinf_settles_longer_and_furnishes_every_episode_anew():
    found = one("libero-rlinf/goal", 3)
    assert (found.horizon, found.replan, found.settings) == (320, 5, {"settle_steps": 15})
    # Its environments count through the tasks of a trial; each is furnished from its own number.
    assert [starts(found)[episode].placement for episode in (0, 1, 2, 3, 29)] == [0, 10, 20, 1, 29]
    alone = one("libero-rlinf/goal/4", 2)
    assert [alone.start(episode).placement for episode in (0, 1)] == [4, 14]


def test_an_environment_that_settles_otherwise_is_refused():
    found = one("libero-rlinf/object/0", 1)
    seed = found.episode_seed(0)
    seen = []
    for settings in ({}, found.settings):
        with make_env(found.task, 1, horizon=found.horizon, settings=settings) as env:
            seen.append(env.reset([seed])["observation.environment_state"])
            if not settings:
                with pytest.raises(BurnishError, match=r"wants settings {'settle_steps': 15}, the environment has {}"):
                    evaluate(RandomAgent(env.contract, 1), env, dataclasses.replace(found, lanes=1))
    assert not seen[0].equal(seen[1])


def test_a_task_is_judged_from_starts_that_training_never_sees():
    found = protocol("libero/object/3", 30)
    assert {start_of(found.episode_seed(e), 1).state for e in range(30)} == set(range(30, 50))
    assert len({found.episode_seed(e) for e in range(30)}) == 30
    assert protocol("libero/object", 200).to_json() | {"states": 0} == one("libero/object", 20, 30).to_json() | {
        "states": 0
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("libero/objet",), "did you mean 'libero/object'"),
        (("libero/object/pick_up_the_milk",), "did you mean 'libero/object/pick_up_the_milk_and"),
        (("libero/object/12",), r"tasks 0 … 9, not 12"),
        (("liberro/object",), "did you mean 'libero"),
        (("libero",), "no protocol; write PROTOCOL/TASK"),
        (("libero/object", 0), "trials must be 1 or more, not 0"),
        (("libero/object", 51), "init states 0 … 49, so 51 trials from number 0 on are too many; at most 50"),
        (("libero/object", 30, 30), "30 trials from number 30 on are too many; at most 20 from there"),
        (("libero/object", None, 50), "1 trials from number 50 on are too many; at most 0 from there"),
        (("libero-pro/object_swp",), "did you mean 'libero-pro/object_swap'"),
        (("libero-pro/object_with_red_box",), "lacks the model of the object 'red_box'"),
        (("libero-pro/10_with_milk",), "lacks init states of the task 'FLOOR_SCENE1"),
        (("libero-pro/object/3",), "write libero-pro/object"),
        (("libero/object", 1, -1), "first_trial must be 0 or more"),
        (("metaworld/reach", 5, 3), "eval.seed"),
    ],
)
def test_mistakes_are_answered_with_the_way_out(words, message):
    with pytest.raises((BurnishError, UnknownNameError), match=message):
        protocols(*words)


def test_episodes_must_be_shared_evenly():
    with pytest.raises(BurnishError, match="a multiple of 10"):
        protocol("libero/object", 25)


def test_robustness_is_the_standard_suite_and_every_complete_perturbed_one():
    found = protocols("libero-pro/object", 20, 30)
    assert [part.task for part in found] == ["libero/object"] + [
        f"libero/object_{name}"
        for name in ("lan", "object", "swap", "task", "two_normal_episodes", "with_mug", "with_yellow_book")
    ]
    assert found[0].axis == "" and found[3].axis == "objects change places" and found[3].horizon == 280
    assert {part.name for part in found} == {"libero-pro"}
    assert [found[3].describe(0)[name] for name in ("task", "init_state")] == ["libero/object_swap/0", 30]
    reworded = found[1].describe(0)["instruction"]
    assert reworded != found[0].describe(0)["instruction"] == found[3].describe(0)["instruction"]


def test_a_suite_with_fewer_init_states_gives_what_it_has():
    found = {part.task: part for part in protocols("libero-pro/spatial", 20, 30)}["libero/spatial_with_milk"]
    assert found.episodes == 10 * 10 and found.describe(9)["init_state"] == 9


def play(workers, killed_at=None):
    """Four short episodes in two lanes: both change their task. With the observations in which each ended."""
    found = dataclasses.replace(one("libero/object", 1), episodes=4, lanes=2, horizon=12)
    last, steps = {}, 0
    with make_env(found.task, found.lanes, workers=workers, horizon=found.horizon) as env:
        step = env.step

        def stepped(action, ids=None):
            nonlocal steps
            steps += 1
            if steps == killed_at:
                env._pool._workers[0].process.kill()
            result = step(action, ids)
            for lane in ids:
                seen = {key: value[lane].tolist() for key, value in result.info["final_obs"].items()}
                last[bytes(seen["task"])] = seen
            return result

        env.step = stepped
        return evaluate(RandomAgent(env.contract, found.lanes), env, found), last


def test_neither_workers_nor_their_death_change_anything():
    (alone, end_alone), (shared, end_shared) = play(1), play(2, killed_at=17)
    assert shared.restarts == 1
    assert alone == shared and alone.episodes == 4 == len(end_alone)
    assert end_alone == end_shared
