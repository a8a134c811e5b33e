"""Suites, tasks and instructions, and what a seed stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.libero.lane import INSTRUCTION_BYTES
from burnish.sim.libero.starts import PLACEMENTS, TRAINING_STATES, Start, address, start_of
from burnish.sim.libero.suites import STANDARD, perturbations, select, suite_names, suite_tasks

START = st.builds(Start, st.integers(0, 9), st.integers(0, 49), st.integers(0, 1000))


@given(START, st.integers(0, 2**15 - 1))
def test_an_address_stands_for_its_start(start, attempt):
    seed = address(start, attempt)
    assert 2**63 <= seed < 2**64
    assert start_of(seed, 10) == start


@given(st.integers(0, 2**63 - 1), st.integers(1, 90))
def test_other_seeds_draw_from_the_training_states(seed, tasks):
    start = start_of(seed, tasks)
    assert start.task < tasks and start.state < TRAINING_STATES and start.placement < PLACEMENTS


def test_the_standard_suites_are_the_130_tasks():
    assert [len(suite_tasks(name)) for name in STANDARD] == [10, 10, 10, 10, 90]
    assert len(suite_tasks("all130")) == 130
    for task in suite_tasks("all130"):
        assert task.bddl.exists() and task.load_init_states().shape[0] == 50


def test_instructions_are_those_of_the_published_evaluation():
    assert select("object/0")[0].language == "pick up the alphabet soup and place it in the basket"
    assert select("10/2")[0].language == "turn on the stove and put the moka pot on it"


def test_rewording_suites_say_it_in_other_words():
    assert select("object_lan/0")[0].language == "grab alphabet soup and put it into basket"
    assert select("object_task/0")[0].language == "pick the cream cheese and place it in the basket"
    assert select("object_swap/0")[0].language == select("object/0")[0].language


def test_chains_are_pairs_of_goals_and_those_held_out_are_in_no_demonstration():
    trained, held_out = (
        {(task.bddl.stem, *(path.stem for path in task.also)) for task in select(suite)}
        for suite in ("chains", "chains-held-out")
    )
    assert (len(trained), len(held_out)) == (8, 4)
    assert not {frozenset(pair) for pair in trained} & {frozenset(pair) for pair in held_out}
    for place in (0, 1):
        assert {pair[place] for pair in held_out} <= {pair[place] for pair in trained}
    texts = [task.language for suite in ("chains", "chains-held-out") for task in select(suite)]
    assert len(set(texts)) == 12 and max(len(text.encode()) for text in texts) <= INSTRUCTION_BYTES
    assert select("chains/0")[0].language == "turn on the stove and put the cream cheese in the bowl"


def test_every_complete_perturbation_is_offered():
    assert {"object_lan", "object_swap", "object_object", "object_task"} <= set(perturbations("object"))
    assert len(suite_names()) >= 33


def test_names_that_do_not_exist_are_answered_with_the_closest():
    with pytest.raises(UnknownNameError, match="did you mean 'libero/object_swap'"):
        select("object_swop")
    with pytest.raises(
        UnknownNameError, match="did you mean 'libero/object/pick_up_the_milk_and_place_it_in_the_basket'"
    ):
        select("object/pick_up_the_milk")
    with pytest.raises(BurnishError, match="tasks 0 … 9"):
        select("object/10")
