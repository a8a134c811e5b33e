"""Two success rates can be compared: the episodes are fixed, and never those that anything was trained on."""

import pytest

from burnish.errors import BurnishError, UnknownNameError
from burnish.sim.protocols import Protocol, horizon, protocol
from burnish.sim.seeds import EVALUATION_FIRST, next_seed


def test_episodes_do_not_change_between_versions():
    # Published numbers refer to these starts: change them only together with the protocol's version.
    assert protocol("metaworld/reach").episode_seed(0) == 9327476452696296858
    assert protocol("metaworld/reach").episode_seed(1) == 14139498841250219120


def test_the_first_episodes_of_many_are_the_episodes_of_few():
    few, many = protocol("metaworld/push", 20), protocol("metaworld/push", 100)
    assert all(few.episode_seed(i) == many.episode_seed(i) and few.lane(i) == many.lane(i) for i in range(20))


def test_tasks_seeds_and_episodes_all_differ():
    seeds = {
        protocol(task, seed=seed).episode_seed(episode)
        for task in ("metaworld/push", "metaworld/reach")
        for seed in range(3)
        for episode in range(100)
    }
    assert len(seeds) == 600


def test_training_never_sees_an_evaluation_seed():
    assert all(protocol("metaworld/push").episode_seed(i) >= EVALUATION_FIRST for i in range(100))
    assert all(next_seed(seed) < EVALUATION_FIRST for seed in (0, 1, 2**62, 2**63 - 1, 2**64 - 1))


def test_horizons():
    assert horizon("metaworld/peg-insert-side") == 200
    assert horizon("metaworld/push-back") == 400


def test_bad_protocols_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'metaworld'"):
        protocol("metawold/reach")
    with pytest.raises(BurnishError, match="write SIMULATOR/TASK"):
        protocol("reach")
    with pytest.raises(BurnishError, match="episodes must be 1 or more, not 0"):
        Protocol("metaworld", 1, "metaworld/reach", 0, 200)
